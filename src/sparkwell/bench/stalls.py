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
from sparkwell.bench.suites import Case

SHORTEST_S = 1.0
TIMES_USUAL = 3.0


def stalls(case: Case, repeats: Sequence[Repeat]) -> list[str]:
    """A sentence for each repeat that has one."""
    return [
        said
        for at, repeat in enumerate(repeats)
        if (said := _said(at + 1, repeat, _usual_s(case, repeats, at))) is not None
    ]


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


def _said(number: int, repeat: Repeat, usual_s: float | None) -> str | None:
    silence = repeat.figures.silence
    if silence is None or usual_s is None:
        return None
    if silence.seconds <= max(SHORTEST_S, TIMES_USUAL * usual_s):
        return None
    were = "1 request was" if silence.out == 1 else f"{silence.out:,} requests were"
    came = f"In repeat {number} no token came for {silence.seconds:.1f} s while {were} out"
    return f"{came}: {_who(repeat)} stood still, and the figures have that in them."


def _who(repeat: Repeat) -> str:
    """The client reads nothing while it does not run, whatever the engine does meanwhile."""
    silence, lag_s = repeat.figures.silence, repeat.figures.lag_most_s
    asleep = silence is not None and lag_s is not None and lag_s > silence.seconds / 2
    return "the client itself" if asleep else "the engine"
