"""Percentiles of what ended between two looks at a histogram, as Prometheus counts them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from sparkwell.engines.samples import Histogram


@dataclass(frozen=True, slots=True)
class Ended:
    """What ended in an interval: ``counts[i]`` took at most ``bounds[i]`` seconds."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]
    sum_s: float

    @property
    def total(self) -> float:
        """How many there were."""
        return self.counts[-1]


def ended(before: Histogram | None, after: Histogram | None) -> Ended | None:
    """The difference of two looks; None where it is unknown, or began anew in between."""
    if before is None or after is None or not _comparable(before, after):
        return None
    grown = [late - early for early, late in zip(before.counts, after.counts, strict=True)]
    if not all(math.isfinite(each) and each >= 0 for each in grown):
        return None
    # Two buckets of one look may be of two moments: a smaller count after a larger is none.
    return Ended(after.bounds, tuple(accumulate(grown, max)), after.sum_s - before.sum_s)


def quantile(found: Ended | None, share: float) -> float | None:
    """The seconds that ``share`` (0 to 1) of what ended took at most; None when nothing ended.

    Linear inside a bucket, as ``histogram_quantile``; what lies beyond the last finite bound is
    said to have taken that bound.
    """
    if found is None or not found.total > 0:
        return None
    rank = share * found.total
    place = next(i for i, count in enumerate(found.counts) if count >= rank)
    upper = found.bounds[place]
    if math.isinf(upper):
        return found.bounds[place - 1] if place else None
    lower = found.bounds[place - 1] if place else min(0.0, upper)
    below = found.counts[place - 1] if place else 0.0
    within = found.counts[place] - below
    return lower + (upper - lower) * (rank - below) / within if within > 0 else upper


def _comparable(before: Histogram, after: Histogram) -> bool:
    return (
        bool(after.bounds)
        and before.bounds == after.bounds
        and len(before.counts) == len(after.counts) == len(after.bounds)
        and _ascending(after.bounds)
    )


def _ascending(bounds: Sequence[float]) -> bool:
    return all(low < high for low, high in pairwise(bounds))
