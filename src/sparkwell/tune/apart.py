"""How far the repeats of a trial are apart, and how many would show a gain. Pure."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from sparkwell.bench.intervals import t95, welch
from sparkwell.bench.tables import rate_text, time_text
from sparkwell.tune.goal import Goal
from sparkwell.tune.trial import Trial

MOST_REPEATS = 10
UNITS = {"throughput": "tok/s", "goodput": "good requests/s"}


def interval_of(trial: Trial, goal: Goal) -> Mapping[str, Any] | None:
    """Of what was measured for the goal: mean, low, high. None for a ladder, and without figures.

    A latency is a time: the smaller, the better.
    """
    if goal.name == "concurrency" or not trial.figures:
        return None
    found: Mapping[str, Any] | None = trial.figures[0].get(goal.figure)
    return found


def least(trial: Trial, goal: Goal) -> float | None:
    """The lower end of the 95 % interval of the trial's value; None with fewer than two repeats."""
    known = interval_of(trial, goal)
    if known is None or known["low"] is None:
        return None
    return 1 / float(known["high"]) if goal.wants_less else float(known["low"])


def told(trial: Trial, goal: Goal) -> str:
    """What came, with half of its interval: ``12,301 ±2,556 tok/s``."""
    known = interval_of(trial, goal)
    if known is None or trial.value is None:
        return trial.said.partition(", ")[0]
    if goal.name == "latency":
        return f"{time_text(known)} for an answer (p95)"
    return f"{rate_text(known)} {UNITS[goal.name]}"


def spread(values: Sequence[float]) -> float:
    """The largest over the smallest, less one; infinite where one is zero."""
    return max(values) / min(values) - 1 if min(values) > 0 else math.inf


def repeats_to_show(before: Sequence[float], after: Sequence[float]) -> int | None:
    """How many repeats of each would probably show the difference, were they as far apart as these.

    By Welch's t on logarithms, as `intervals.ratio` compares; one more than just shows it, which
    one check in two would do, and four in five do with one more. None where more than MOST_REPEATS
    would be needed, or one value is zero. It is a hint: the spread of a few is itself uncertain.
    """
    sides = (before, after)
    if min(*before, *after) <= 0 or math.inf in (*before, *after) or min(map(len, sides)) < 2:
        return None
    logs = [[math.log(each) for each in side] for side in sides]
    gain = abs(statistics.fmean(logs[1]) - statistics.fmean(logs[0]))
    variances = [statistics.variance(each) for each in logs]
    for repeats in range(2, MOST_REPEATS):
        error, freedom = welch([each / repeats for each in variances], [repeats, repeats])
        if t95(freedom) * error < gain:
            return repeats + 1
    return None
