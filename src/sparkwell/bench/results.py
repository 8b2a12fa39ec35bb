"""What came of a run so far. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sparkwell.bench.figures import Figures
from sparkwell.bench.sample import Sample


@dataclass(frozen=True, slots=True)
class Repeat:
    """One repeat of a case; ``broken`` says why it ended before its last request.

    ``began_s`` is of the samples' clock, ``began_at`` the same moment in Unix time. ``compiled`` is
    how many files a compiler left while the engine stood still; None is not known, or not asked.
    ``set_aside`` are earlier attempts, in which it compiled; they are in no figure.
    """

    figures: Figures
    samples: Sequence[Sample]
    began_s: float
    broken: str | None = None
    began_at: float | None = None
    compiled: int | None = None
    set_aside: "tuple[Repeat, ...]" = ()


@dataclass(slots=True)
class Measured:
    """Repeats of each case, by its place in the order; ``broken`` says why there are no more."""

    repeats: dict[int, list[Repeat]] = field(default_factory=dict)
    broken: str | None = None

    @property
    def failed(self) -> int:
        """Requests that got no whole answer."""
        return sum(each.figures.failed for found in self.repeats.values() for each in found)
