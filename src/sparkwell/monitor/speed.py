"""What was generated, beside what was planned, what the machine could, and the energy it took."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sparkwell.planner.speed import Speed

LEAST_BUSY = 0.05
"""Below this many sequences on average there is nothing that could be compared."""

Curve = tuple[tuple[float, float], ...]
"""(sequences at once, tokens a second of all together), by sequences."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What a plan expects of a model, in tokens a second of all sequences together.

    ``roofline_tokens_per_s`` is the limit for one sequence, ``limits`` that for several; without
    them nothing is said of a roofline for more than one.
    """

    single_tokens_per_s: float
    roofline_tokens_per_s: float
    batched: Curve = ()
    limits: Curve = ()


def planned_of(speed: Speed) -> Planned:
    """The part of a plan's speeds that is compared."""
    return Planned(
        single_tokens_per_s=speed.single_tokens_per_s,
        roofline_tokens_per_s=speed.roofline_tokens_per_s,
        batched=tuple((each.concurrency, each.tokens_per_s) for each in speed.batched),
        limits=tuple((each.concurrency, each.limit_tokens_per_s) for each in speed.batched),
    )


def plan_share(
    tokens_per_s: float | None, busy: float | None, plan: Planned | None
) -> float | None:
    """Tokens a second as a share of the plan's for as many sequences, ``busy`` on average.

    None where one of the three is unknown, or next to nothing ran.
    """
    return _share(tokens_per_s, busy, _expected(plan, busy))


def roofline_share(
    tokens_per_s: float | None, busy: float | None, plan: Planned | None
) -> float | None:
    """The same of the roofline: what the memory or the arithmetic allows at most."""
    return _share(tokens_per_s, busy, _limit(plan, busy))


def tokens_per_joule(tokens_per_s: float | None, power_w: float | None) -> float | None:
    """Output tokens for a joule of the GPU; None where the power is unknown or none came.

    Idle power counts. ``power_w`` is that of the whole GPU: to be given only where nobody else
    generated on it.
    """
    if not tokens_per_s or not power_w or power_w < 0:
        return None
    return tokens_per_s / power_w


def interpolated(curve: Curve, at: float) -> float | None:
    """The value at ``at``: linear between the points and from nothing to the first one.

    Beyond the last one its value: more sequences than are planned wait, or go no faster. None for
    a curve without points.
    """
    if not curve:
        return None
    for (left, low), (right, high) in pairwise(_from_zero(curve)):
        if at <= right:
            return low + (high - low) * (at - left) / (right - left)
    return max(curve)[1]


def _from_zero(curve: Curve) -> Sequence[tuple[float, float]]:
    return [(0.0, 0.0), *sorted({key: value for key, value in curve if key > 0}.items())]


def _expected(plan: Planned | None, busy: float | None) -> float | None:
    if plan is None or busy is None:
        return None
    return interpolated(((1.0, plan.single_tokens_per_s), *plan.batched), busy)


def _limit(plan: Planned | None, busy: float | None) -> float | None:
    if plan is None or busy is None or (busy > 1 and not plan.limits):
        return None
    return interpolated(((1.0, plan.roofline_tokens_per_s), *plan.limits), busy)


def _share(tokens_per_s: float | None, busy: float | None, expected: float | None) -> float | None:
    if tokens_per_s is None or busy is None or not expected or expected < 0 or busy < LEAST_BUSY:
        return None
    return tokens_per_s / expected
