"""Means and ratios with what they are uncertain by. Pure.

Repeats of a measurement are the samples: requests of one repeat are not independent of each other.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sparkwell.bench.significance import p_value

Verdict = Literal["more", "less", "no difference shown", "too few repeats"]

# Student's t, two-sided 95 %, by degrees of freedom.
_T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_NORMAL95, _BEYOND = 1.960, 2.46
"""Beyond the table it is the normal's and this over the degrees of freedom, within 0.001."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean of repeats and its 95 % interval; the ends are None with fewer than two of them."""

    mean: float
    low: float | None
    high: float | None
    repeats: int


@dataclass(frozen=True, slots=True)
class Ratio:
    """B over A, with its 95 % interval, and what it tells where it stands alone.

    ``p`` is how likely as large a ratio is where there is no difference; None with one repeat.
    """

    value: float
    low: float | None
    high: float | None
    verdict: Verdict
    p: float | None = None


def t95(freedom: float) -> float:
    """Student's t for a two-sided 95 % interval; a fraction counts as the whole number below."""
    at = max(int(freedom), 1)
    return _T95[at - 1] if at <= len(_T95) else _NORMAL95 + _BEYOND / at


def interval(values: Sequence[float]) -> Interval:
    """Of the mean of the repeats; ValueError where there are none."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Interval(mean, None, None, len(values))
    half = t95(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half, len(values))


def ratio(before: Sequence[float], after: Sequence[float]) -> Ratio | None:
    """``after`` over ``before`` by Welch's t on logarithms.

    None where one is not above zero, or has no limit, as the time of an answer that never came.
    Repeats that are all equal tell nothing of how far the next would be off, as few do, so they
    show no difference, and no interval.
    """
    if not before or not after or min(*before, *after) <= 0 or math.inf in (*before, *after):
        return None
    logs = [[math.log(each) for each in values] for values in (before, after)]
    middle = statistics.fmean(logs[1]) - statistics.fmean(logs[0])
    if min(map(len, logs)) < 2:
        return Ratio(math.exp(middle), None, None, "too few repeats")
    parts = [statistics.variance(each) / len(each) for each in logs]
    spread, freedom = welch(parts, [len(each) for each in logs])
    if middle and not spread:
        return Ratio(math.exp(middle), None, None, "too few repeats")
    half = t95(freedom) * spread
    low, high = math.exp(middle - half), math.exp(middle + half)
    return Ratio(math.exp(middle), low, high, _verdict(low, high), _p(middle, spread, freedom))


def middle_of(values: Sequence[float]) -> float:
    """The geometric mean, whose ratios are those of ``ratio``; arithmetic where one is 0."""
    positive = min(values) > 0
    return statistics.geometric_mean(values) if positive else statistics.fmean(values)


def welch(variances: Sequence[float], repeats: Sequence[int]) -> tuple[float, float]:
    """The standard error of the difference of two means, and its degrees of freedom.

    ``variances`` are those of the means, ``repeats`` how many of them there were (two at least).
    """
    if not (spread := sum(variances)):
        return 0.0, 1.0
    freedom = spread**2 / sum(
        part**2 / (count - 1) for part, count in zip(variances, repeats, strict=True)
    )
    return math.sqrt(spread), freedom


def _p(middle: float, spread: float, freedom: float) -> float:
    return p_value(middle / spread, freedom) if spread else 1.0


def _verdict(low: float, high: float) -> Verdict:
    if low > 1:
        return "more"
    return "less" if high < 1 else "no difference shown"
