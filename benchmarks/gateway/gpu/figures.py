"""Means, ratios and their intervals."""

import math
import statistics
from collections.abc import Sequence

# Student's t for 95 % two-sided, by degrees of freedom from 1.
STUDENT = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
)  # fmt: skip
NORMAL = 1.96


def quantile(ordered: Sequence[float], part: float) -> float | None:
    """Of values in order; None where there is none."""
    return ordered[round(part * (len(ordered) - 1))] if ordered else None


def student(freedom: int) -> float:
    """The factor of a 95 % interval."""
    return STUDENT[freedom - 1] if freedom <= len(STUDENT) else NORMAL


def ratio(pairs: Sequence[tuple[float, float]]) -> dict[str, float | int | None]:
    """Second over first of each pair: geometric mean, and its 95 % interval."""
    logs = [math.log(second / first) for first, second in pairs]
    middle = statistics.fmean(logs)
    found: dict[str, float | int | None] = {"pairs": len(logs), "ratio": math.exp(middle)}
    if len(logs) < 2:
        return {**found, "low": None, "high": None}
    half = student(len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    return {**found, "low": math.exp(middle - half), "high": math.exp(middle + half)}
