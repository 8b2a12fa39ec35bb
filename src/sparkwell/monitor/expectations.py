"""What the guides say of a start, beside what this machine took: values in, words out."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from sparkwell.catalog.guide_claims import Claim
from sparkwell.core.phases import Phase

_LOADING = "load_s"
_FIRST_START = "cold_s"
_LATER_START = "warm_s"


@dataclass(frozen=True, slots=True)
class GuideTime:
    """Seconds that a guide states, from ``low_s`` to ``high_s``; equal where it names one."""

    low_s: float
    high_s: float


def guide_time(
    claims: Iterable[Claim], phase: Phase | None, *, first: bool = False
) -> GuideTime | None:
    """What a model's claims say of one phase, or of a whole start (None); None where nothing.

    ``first`` is a start with nothing in the caches. The guides give figures for loading weights
    and for whole starts only.
    """
    figure = _figure(phase, first)
    checks = (claim.check for claim in claims)
    found = [check for check in checks if check and check.figure == figure and check.unit == "s"]
    return GuideTime(found[0].low, found[0].high) if found else None


def expectation_text(guide: GuideTime | None, last_s: float | None) -> str | None:
    """Such as "the guide says 3.4 min, this machine took 2.9 last time"; None without either.

    ``last_s`` are the seconds that the same took here before.
    """
    stated = _range(guide) if guide else None
    taken = _amount(last_s)
    if stated is None:
        return f"this machine took {taken[0]} {taken[1]} last time" if taken else None
    text, unit = stated
    if taken is None:
        return f"the guide says {text} {unit}"
    own = taken[0] if taken[1] == unit else " ".join(taken)
    return f"the guide says {text} {unit}, this machine took {own} last time"


def _figure(phase: Phase | None, first: bool) -> str | None:
    if phase is None:
        return _FIRST_START if first else _LATER_START
    return _LOADING if phase is Phase.WEIGHTS else None


def _range(guide: GuideTime) -> tuple[str, str] | None:
    """In words, and the unit; "30 to 60" where both ends have the same."""
    low, high = _amount(guide.low_s), _amount(guide.high_s)
    if low is None or high is None:
        return None
    if low == high:
        return low
    return f"{low[0] if low[1] == high[1] else ' '.join(low)} to {high[0]}", high[1]


def _amount(seconds: float | None) -> tuple[str, str] | None:
    """A number and its unit, as people say it; None for what is no time."""
    if seconds is None or not isfinite(seconds) or seconds < 0:
        return None
    seconds = abs(seconds)  # -0.0 is a number too
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f}", unit
    return (f"{seconds:.1f}" if seconds < 9.95 else f"{seconds:.0f}"), "s"
