"""How this machine keeps to the model of speed: what was measured here over the estimate."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Measured time over the model's: 1 is as modelled, 2 takes twice as long.

    ``step`` is for a step of decoding, ``first`` for prompts up to their first tokens. ``late_s``
    are seconds that a first token takes besides, however long the prompts are and however many:
    starting kernels that no CUDA graph has, say. ``cases`` is how many measurements it rests on,
    ``at`` the Unix time of the newest, None without any.
    """

    step: float = 1.0
    first: float = 1.0
    late_s: float = 0.0
    cases: int = 0
    at: float | None = None

    @property
    def source(self) -> str | None:
        """Where it comes from, for people; None where nothing was measured."""
        if self.at is None:
            return None
        day = time.strftime("%Y-%m-%d", time.localtime(self.at))
        return f"measured here on {day}: `sparkwell bench`, {self.cases} cases"


AS_MODELLED = Pace()
