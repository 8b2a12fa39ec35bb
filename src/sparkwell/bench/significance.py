"""How likely chance alone shows as much, of one figure and of many at once. Pure."""

import math
from collections.abc import Sequence


def p_value(t: float, freedom: float) -> float:
    """Student's t, two-sided; a fraction of a degree counts as the whole number below.

    The finite sums for whole degrees of freedom (Abramowitz and Stegun 26.7.3 and 26.7.4).
    """
    whole = max(int(freedom), 1)
    angle = math.atan(abs(t) / math.sqrt(whole))
    inside = _odd(angle, whole) if whole % 2 else _even(angle, whole)
    return min(1.0, max(0.0, 1 - inside))


def _odd(angle: float, freedom: int) -> float:
    term, found = math.cos(angle), 0.0
    for at in range(3, freedom + 1, 2):
        found += term
        term *= math.cos(angle) ** 2 * (at - 1) / at
    return 2 / math.pi * (angle + math.sin(angle) * found)


def _even(angle: float, freedom: int) -> float:
    term, found = 1.0, 0.0
    for at in range(2, freedom + 1, 2):
        found += term
        term *= math.cos(angle) ** 2 * (at - 1) / at
    return math.sin(angle) * found


def holm(ps: Sequence[float]) -> list[float]:
    """Each p with allowance for all of them: below 0.05, one in twenty such lists is wrong.

    Holm's: the smallest times their number, the next times one less, and none below the one before.
    It holds for figures that hang together too, as TTFT p50 and p99 do.
    """
    allowed, so_far = [1.0] * len(ps), 0.0
    for rank, at in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        so_far = max(so_far, min(1.0, ps[at] * (len(ps) - rank)))
        allowed[at] = so_far
    return allowed
