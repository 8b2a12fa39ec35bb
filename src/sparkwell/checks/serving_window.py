"""Readings of the last minutes, drawn together into the window that the checks look at."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sparkwell.checks.serving_parts import Window

LONGEST_GAP_S = 30.0
"""Between two moments that are farther apart nothing is known: nobody looked, or the host slept."""

_LONE_MOMENTS = 3
"""So many moments running a request has to run alone before its speed is believed."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One reading: ``at_s`` on a clock that only goes forward, ``figures`` by the series' names.

    Rates are of the interval since the moment before. ``gpu_used`` is the machine's.
    """

    at_s: float
    figures: Mapping[str, float | None]

    def known(self, name: str) -> float | None:
        """A figure; None where it is unknown."""
        return self.figures.get(name)

    @property
    def busy(self) -> bool:
        """Whether a request ran."""
        return (self.known("running") or 0.0) > 0

    @property
    def lone(self) -> bool:
        """Whether one request ran, and no other."""
        return self.known("running") == 1


_Interval = tuple[Moment, Moment]


def window_of(moments: Sequence[Moment]) -> Window:
    """The window over moments in their order. Whose reading failed counts for nothing."""
    read = [each for each in moments if each.known("running") is not None]
    intervals = [(a, b) for a, b in pairwise(read) if 0 < b.at_s - a.at_s <= LONGEST_GAP_S]
    busy = [each for each in read if each.busy]
    requests = _counted(intervals, "requests_per_s")
    return Window(
        samples=len(read),
        seconds=sum(b.at_s - a.at_s for a, b in intervals),
        busy=len(busy) / len(read) if read else None,
        running=_mean(busy, "running"),
        running_max=_most(busy, "running"),
        waiting=_mean(busy, "waiting"),
        kv_used_mean=_mean(busy, "kv_used"),
        kv_used_max=_most(busy, "kv_used"),
        preemptions=_counted(intervals, "preemptions_per_s"),
        prefix_hit=_prefix_hit(intervals),
        gpu_used=_mean(busy, "gpu_used"),
        requests=requests,
        prompt_tokens=_prompt_tokens(intervals, requests),
        ttft_p95_s=_newest(read, "ttft_p95_s"),
        single_tokens_per_s=_single(read),
        output_tokens_per_s=_mean([b for a, b in intervals if a.busy and b.busy],
                                  "output_tokens_per_s"),
        waiting_thirds=_thirds(_values(busy, "waiting")),
    )  # fmt: skip


def _values(moments: Iterable[Moment], name: str) -> list[float]:
    return [value for each in moments if (value := each.known(name)) is not None]


def _mean(moments: Iterable[Moment], name: str) -> float | None:
    values = _values(moments, name)
    return sum(values) / len(values) if values else None


def _thirds(values: Sequence[float]) -> tuple[float, float, float] | None:
    """The means of the first, the middle and the last third; None of fewer than three."""
    size, rest = divmod(len(values), 3)
    if not size:
        return None
    end = 2 * size + rest
    first, middle, last = values[:size], values[size:end], values[end:]
    return sum(first) / size, sum(middle) / len(middle), sum(last) / size


def _most(moments: Iterable[Moment], name: str) -> float | None:
    return max(_values(moments, name), default=None)


def _newest(moments: Sequence[Moment], name: str) -> float | None:
    """Percentiles are of a window already."""
    return next(iter(_values(reversed(moments), name)), None)


def _counted(intervals: Iterable[_Interval], name: str) -> float | None:
    """How many in all, from a rate; to 9 decimals, so that 5 stays 5."""
    parts = [rate * (b.at_s - a.at_s) for a, b in intervals if (rate := b.known(name)) is not None]
    return round(sum(parts), 9) if parts else None


def _prompt_tokens(intervals: Iterable[_Interval], requests: float | None) -> float | None:
    """The mean prompt. Prompts count when read, requests when ended; over minutes that is one."""
    tokens = _counted(intervals, "prompt_tokens_per_s")
    return tokens / requests if tokens is not None and requests and requests >= 1 else None


def _prefix_hit(intervals: Iterable[_Interval]) -> float | None:
    """The share over the window: an interval with more prompt tokens counts for more."""
    parts = [
        (hit, tokens * (b.at_s - a.at_s))
        for a, b in intervals
        if (hit := b.known("prefix_hit")) is not None
        and (tokens := b.known("prompt_tokens_per_s")) is not None
    ]
    total = sum(weight for _, weight in parts)
    return sum(hit * weight for hit, weight in parts) / total if total > 0 else None


def _single(moments: Sequence[Moment]) -> float | None:
    """The best speed of a request that ran alone for some moments.

    The best, because what lies between two requests, and the reading of a prompt, only lower it.
    """
    best: float | None = None
    row = 0
    for before, now in pairwise(moments):
        near = now.at_s - before.at_s <= LONGEST_GAP_S
        row = row + 1 if near and before.lone and now.lone else 0
        speed = now.known("output_tokens_per_s")
        if row >= _LONE_MOMENTS - 1 and speed is not None and speed > 0:
            best = speed if best is None else max(best, speed)
    return best
