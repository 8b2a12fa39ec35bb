"""Whether the longest silence of a repeat was the engine's standing still, or its work. Pure.

A long prompt takes seconds to read, so how long a silence is does not say what it was. It counts
as a stall where it lasted more than a second, and more than three times what is known to be usual:
what the same repeat shows (``Silence.usual_s``), or the longest silence of another repeat of the
case, which asks just as much. At a rate the repeats differ, as arrivals are drawn anew, so others
count only where the repeat itself tells nothing. The plan does not count: its speed is a model's.

What this cannot see is a stall in a case of one round and one repeat, before its first token, and
one in every repeat alike where that is all there is to compare.
"""

from collections.abc import Sequence

from sparkwell.bench.results import Repeat
from sparkwell.bench.silences import Silence
from sparkwell.bench.suites import Case

SHORTEST_S = 1.0
TIMES_USUAL = 3.0


def stalls(case: Case, repeats: Sequence[Repeat]) -> list[str]:
    """A sentence for each repeat that has one."""
    return [_said(at + 1, repeats[at]) for at in stalled(case, repeats)]


def stalled(case: Case, repeats: Sequence[Repeat]) -> list[int]:
    """The places of those that have one, from 0."""
    return [
        at
        for at, repeat in enumerate(repeats)
        if _is_stall(repeat.figures.silence, _usual_s(case, repeats, at))
    ]


def compiling(case: Case, repeats: Sequence[Repeat]) -> list[int]:
    """The places of those in whose stall kernels were compiled, as far as that is known."""
    return [at for at in stalled(case, repeats) if _is_compiling(repeats[at])]


def _is_stall(silence: Silence | None, usual_s: float | None) -> bool:
    if silence is None or usual_s is None:
        return False
    return silence.seconds > max(SHORTEST_S, TIMES_USUAL * usual_s)


def _usual_s(case: Case, repeats: Sequence[Repeat], at: int) -> float | None:
    """The least of what is known; None where nothing is."""
    silence = repeats[at].figures.silence
    own = None if silence is None else silence.usual_s
    if own is not None and case.rate is not None:
        return own
    others = [
        each.figures.silence.seconds
        for place, each in enumerate(repeats)
        if place != at and each.broken is None and each.figures.silence is not None
    ]
    known = others if own is None else [own, *others]
    return min(known, default=None)


def _said(number: int, repeat: Repeat) -> str:
    silence = repeat.figures.silence
    assert silence is not None  # noqa: S101 - a stall is one
    were = "1 request was" if silence.out == 1 else f"{silence.out:,} requests were"
    came = f"In repeat {number} no token came for {silence.seconds:.1f} s while {were} out"
    who = "the client itself" if _is_asleep(repeat) else "the engine"
    return f"{came}: {who} stood still, and the figures have that in them.{_why(repeat)}"


def _is_asleep(repeat: Repeat) -> bool:
    """The client reads nothing while it does not run, whatever the engine does meanwhile."""
    silence, lag_s = repeat.figures.silence, repeat.figures.lag_most_s
    return silence is not None and lag_s is not None and lag_s > silence.seconds / 2


def _is_compiling(repeat: Repeat) -> bool:
    return bool(repeat.compiled) and not _is_asleep(repeat)


def _why(repeat: Repeat) -> str:
    """Not that it was this engine: others of this machine may compile into the same cache."""
    if not _is_compiling(repeat):
        return ""
    return f" Kernels were compiled then ({files_said(repeat)}); they are kept, so measure again."


def files_said(repeat: Repeat) -> str:
    """How many files a compiler left meanwhile."""
    files = "1 file" if repeat.compiled == 1 else f"{repeat.compiled or 0:,} files"
    return f"{files} in the compile cache"
