"""Rows of the history as lines to draw: evenly spaced, so many points at most, gaps as None."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sparkwell.core.errors import UsageError
from sparkwell.store.series_names import LOW_IS_BAD
from sparkwell.store.series_rows import Values

MOST_POINTS = 5000
_JITTER = 1.5
"""Rows this many steps apart still follow each other; beyond it one is missing between them."""

Line = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """The history of some series.

    ``at[i]`` is where the i-th interval of ``step_s`` begins (Unix seconds); ``means`` has the
    mean of each interval, ``peaks`` its highest value (of available memory its lowest), None
    where nothing was sampled.
    """

    at: tuple[float, ...]
    step_s: float
    means: Mapping[str, Line]
    peaks: Mapping[str, Line]


class Stored(NamedTuple):
    """A row as it was found: when (Unix s), the seconds that it stands for, and its values."""

    at: float
    step_s: float
    means: Values
    peaks: Values


@dataclass(frozen=True, slots=True)
class Span:
    """The intervals of a drawing: from ``since`` (Unix s), ``count`` of ``step_s`` each."""

    since: float
    step_s: float
    count: int

    def place(self, at: float) -> int:
        """Which of them a moment is in."""
        return min(self.count - 1, max(0, int((at - self.since) / self.step_s)))


def span(since: float, until: float, points: int, finest_s: float) -> Span:
    """At most ``points`` intervals, none shorter than ``finest_s``: between rows is no gap.

    Raises UsageError for times or a number that make no sense.
    """
    if not (math.isfinite(since) and math.isfinite(until)) or points < 1:
        raise UsageError(
            f"No history can be drawn from {since} to {until} in {points} points.",
            hint="Give Unix seconds for both, and at least one point.",
        )
    length = max(0.0, until - since)
    step = max(finest_s, length / min(points, MOST_POINTS))
    # Rounding must not make one interval more out of a length that is a whole number of steps.
    return Span(since, step, max(1, math.ceil(length / step - 1e-9)) if length else 0)


def draw(names: Sequence[str], places: Sequence[int], rows: Sequence[Stored], over: Span) -> Lines:
    """The lines of ``names``; ``places`` says where each stands in a row. ``rows``: any order."""
    ordered = sorted(rows)
    within = [over.place(each.at) for each in ordered]
    lines = {
        name: _line(ordered, within, place, over, -1.0 if name in LOW_IS_BAD else 1.0)
        for name, place in zip(names, places, strict=True)
    }
    return Lines(
        at=tuple(over.since + number * over.step_s for number in range(over.count)),
        step_s=over.step_s,
        means={name: means for name, (means, _) in lines.items()},
        peaks={name: peaks for name, (_, peaks) in lines.items()},
    )


def _line(
    rows: Sequence[Stored], within: Sequence[int], place: int, over: Span, sign: float
) -> tuple[Line, Line]:
    """Means, each value weighing as much as the time that it stands for; and peaks.

    Plain loops: a day is 10,000 rows. ``sign`` is -1 where the lowest value is the peak.
    """
    sums, weights, peaks = [0.0] * over.count, [0.0] * over.count, [-math.inf] * over.count
    last_at, last_place, reach = -math.inf, 0, 0.0
    for (at, step, means, tops), own in zip(rows, within, strict=True):
        value = means[place] if place < len(means) else math.nan
        if math.isnan(value):
            continue
        # A row that follows the last one fills what lies between: nothing is missing there.
        first = min(own, last_place + 1) if at - last_at <= reach else own
        for each in range(first, own + 1):
            sums[each] += value * step
            weights[each] += step
            peaks[each] = max(peaks[each], sign * tops[place])
        last_at, last_place, reach = at, own, _JITTER * step
    means_line = tuple(
        total / weight if weight else None for total, weight in zip(sums, weights, strict=True)
    )
    return means_line, tuple(None if each == -math.inf else sign * each for each in peaks)
