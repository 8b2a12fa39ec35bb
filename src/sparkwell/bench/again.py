"""Which repeats are measured again: those in which the engine compiled kernels. Pure.

That is warm-up: it happens once on a machine, as kernels are kept. A repeat whose longest stall has
no known cause stays in the figures, as whoever asks the engine has it in his waiting too.
"""

from collections.abc import Iterator, Sequence

from sparkwell.bench.results import Repeat
from sparkwell.bench.stalls import compiling, files_said
from sparkwell.bench.suites import Case

MOST = 2
"""More attempts at one repeat: what still compiles then may do so for long."""
MEASURED_AGAIN = "Measured again"


def next_again(case: Case, repeats: Sequence[Repeat]) -> int | None:
    """The place of the first one, from 0; None where there is none, or it had its attempts.

    One with failed requests, or that broke off, stays: somebody has to see those.
    """
    return next((at for at in compiling(case, repeats) if _may_again(repeats[at])), None)


def _may_again(repeat: Repeat) -> bool:
    whole = repeat.broken is None and not repeat.figures.failed
    return whole and len(repeat.set_aside) < MOST


def again_notes(repeats: Sequence[Repeat]) -> Iterator[str]:
    """A sentence for each attempt that was set aside."""
    for number, repeat in enumerate(repeats, 1):
        for aside in repeat.set_aside:
            yield (
                f"{MEASURED_AGAIN} with new prompts: repeat {number}, as no token came for "
                f"{_silence_s(aside):.1f} s while kernels were compiled ({files_said(aside)})."
            )


def _silence_s(repeat: Repeat) -> float:
    silence = repeat.figures.silence
    assert silence is not None  # noqa: S101 - a stall is one
    return silence.seconds
