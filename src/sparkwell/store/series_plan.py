"""How long the history is kept, how finely, and what is to be folded now. Pure: times in, plan out.

    raw (5 s) ── older than 6 hours ──► minutes ── older than 7 days ──► quarters of an hour
                                                            older than 90 days: forgotten

Every moment is in one tier alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

_HOUR_S = 3600.0
_DAY_S = 24 * _HOUR_S


class Tier(StrEnum):
    """A table of the history."""

    RAW = "raw"
    MINUTES = "minutes"
    QUARTERS = "quarters"

    @property
    def into(self) -> "Tier | None":
        """The tier that takes what is too old for this one; None where it is forgotten."""
        return {Tier.RAW: Tier.MINUTES, Tier.MINUTES: Tier.QUARTERS}.get(self)

    @property
    def step_s(self) -> float:
        """Seconds that a row stands for; a raw one for about as much."""
        return {Tier.RAW: 5.0, Tier.MINUTES: 60.0, Tier.QUARTERS: 900.0}[self]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept. ``kept_s`` is seconds by tier, ``most_bytes`` all tables together.

    Where they take more, the oldest of each tier goes before its time. ``ahead_s`` is how far a
    row may be ahead of the clock: it was written before the clock was set back.
    """

    kept_s: Mapping[Tier, float] = field(
        default_factory=lambda: {
            Tier.RAW: 6 * _HOUR_S,
            Tier.MINUTES: 7 * _DAY_S,
            Tier.QUARTERS: 90 * _DAY_S,
        }
    )
    most_bytes: int = 48 * 1024**2
    ahead_s: float = _DAY_S


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows of ``tier`` from ``since`` until before ``until`` (Unix s): into the next, or away."""

    tier: Tier
    since: float
    until: float


_AT_ONCE: Mapping[Tier, float] = {
    Tier.RAW: 20 * 60.0,
    Tier.MINUTES: _HOUR_S,
    Tier.QUARTERS: 2 * _HOUR_S,
}
"""Seconds folded in one go: little, so that nobody waits, and a clock that jumps takes little."""

_AT_LEAST_S = 600.0
"""Kept as it is even where there is no room."""


def due(
    tier: Tier, oldest: float | None, now: float, used_bytes: int, limits: Limits
) -> Fold | None:
    """What of a tier is too old at ``now``; None for nothing.

    ``oldest`` is its oldest row, None where it has none. Only whole rows of the next tier are
    made.
    """
    if oldest is None:
        return None
    step = (tier.into or tier).step_s
    kept_s = limits.kept_s[tier]
    if used_bytes > limits.most_bytes:
        kept_s = min(kept_s, _AT_LEAST_S)
    since = oldest // step * step
    until = min((now - kept_s) // step * step, since + _AT_ONCE[tier])
    return Fold(tier, since, until) if since < until else None


def horizon(limits: Limits) -> float:
    """Seconds of the past of which anything may be known."""
    return max(limits.kept_s.values())
