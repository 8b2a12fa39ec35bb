"""From what was measured to figures: medians, bounds, slopes. Pure."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, median
from typing import Any

Json = Mapping[str, Any]
OURS, KEYED = "Sparkwell", "Sparkwell, key and limits"
MINES = (OURS, KEYED)


@dataclass(frozen=True, slots=True)
class Middle:
    """The median of the rounds, and the least of them, which neighbours disturbed least."""

    median: float
    least: float


def middle(values: Sequence[float]) -> Middle:
    """Of at least one round."""
    return Middle(median(values), min(values))


def of_rounds(rounds: Sequence[Json], *path: str) -> Middle | None:
    """A figure of all rounds, by its keys; None where a round does not have it."""
    values = [_at(each, path) for each in rounds]
    known = [each for each in values if each is not None]
    return middle(known) if known and len(known) == len(values) else None


def _at(found: Any, path: Sequence[str]) -> float | None:
    for key in path:
        found = found.get(key) if found else None
    return found


ROWS: Mapping[str, tuple[str, ...]] = {
    "p50_us": ("whole", "latency_us", "p50"),
    "p99_us": ("whole", "latency_us", "p99"),
    "first_p50_us": ("first", "first_us", "p50"),
    "first_p99_us": ("first", "first_us", "p99"),
    "request_us": ("whole", "cpu_us_request"),
    "busy_request_us": ("busy", "cpu_us_request"),
    "busy_a_second": ("busy", "a_second"),
    "event_us": ("events", "cpu_us_event"),
    "events_a_read": ("events", "events_a_read"),
    "memory_mb": ("memory_mb",),
    "idle_cpu_share": ("idle_cpu_share",),
}


def summary(rounds: Mapping[str, Sequence[Json]]) -> dict[str, dict[str, Middle | None]]:
    """Each row of each candidate."""
    return {
        name: {row: of_rounds(some, *path) for row, path in ROWS.items()}
        for name, some in rounds.items()
        if some
    }


def added_us(rounds: Mapping[str, Sequence[Json]], name: str, row: str) -> float | None:
    """How much later than direct, by the median of the rounds, each against its own direct."""
    path = ROWS[row]
    pairs = zip(rounds.get(name, ()), rounds.get("direct", ()), strict=False)
    known = [(_at(one, path), _at(plain, path)) for one, plain in pairs]
    found = [one - plain for one, plain in known if one is not None and plain is not None]
    return median(found) if found else None


def others_cores(document: Json) -> float | None:
    """How many cores others kept busy, looked at before each candidate; None without a look."""
    looks = [each for some in document.get("rounds", {}).values() for each in some]
    looks += (document.get("many") or {}).values()
    found = [each["others_cores"] for each in looks if each.get("others_cores") is not None]
    return median(found) if found else None


@dataclass(frozen=True, slots=True)
class Bound:
    """One demand: ``reached`` may not be above ``most``; None where it was not measured."""

    words: str
    most: float | None
    reached: float | None
    unit: str

    @property
    def kept(self) -> bool | None:
        """Whether it holds; None where nobody knows."""
        if self.most is None or self.reached is None:
            return None
        return self.reached <= self.most


def bounds(document: Json) -> list[Bound]:
    """All that is asked of Sparkwell, without and with a key."""
    found: list[Bound] = []
    for name in MINES:
        if document["rounds"].get(name):
            found += _latency(document["rounds"], name) + _costs(document["rounds"], name)
    streams = document.get("many") or {}
    return found + [bound for name in MINES if name in streams for bound in _many(streams, name)]


def _latency(rounds: Mapping[str, Sequence[Json]], name: str) -> list[Bound]:
    asked = (
        ("whole answer, p50", "p50_us", 150.0),
        ("whole answer, p99", "p99_us", 600.0),
        ("first event, p50", "first_p50_us", 150.0),
        ("first event, p99", "first_p99_us", 600.0),
    )
    return [
        Bound(f"{name}: added to direct, {words}", most, added_us(rounds, name, row), "µs")
        for words, row, most in asked
    ]


def _costs(rounds: Mapping[str, Sequence[Json]], name: str) -> list[Bound]:
    every = summary(rounds)
    found = []
    for words, row, share in (
        ("a request, 1 connection", "request_us", 150),
        ("a request, 32 connections", "busy_request_us", 150),
        ("a streamed event", "event_us", 20),
    ):
        mine = _median(every, name, row)
        for peer, parts in (("LiteLLM", share), ("vllm-router", 1)):
            theirs = _median(every, peer, row)
            most = theirs / parts if theirs is not None else None
            than = f"{peer}'s" if parts == 1 else f"1/{parts} of {peer}'s"
            found.append(Bound(f"{name}: {words}, at most {than}", most, mine, "µs"))
    return found


def _median(every: Mapping[str, Mapping[str, Middle | None]], name: str, row: str) -> float | None:
    found = every.get(name, {}).get(row)
    return found.median if found else None


def _many(streams: Mapping[str, Json], name: str) -> list[Bound]:
    found = streams[name]
    wrong = sum(found[key] for key in ("lost", "reordered", "broken", "bad", "unfinished"))
    return [
        Bound(f"{name}: many streams, events lost or out of order", 0, wrong, ""),
        Bound(f"{name}: many streams, memory", 150, found["most_memory_mb"], "MB"),
        Bound(
            f"{name}: many streams, p99 delay of an event", 50, found["delay_us"]["p99"] / 1e3, "ms"
        ),
    ]


@dataclass(frozen=True, slots=True)
class Slope:
    """Growth an hour, with the bounds of its 95 % interval."""

    an_hour: float
    low: float
    high: float


def slope(samples: Sequence[tuple[float, float]], *, skip: float = 0.1, blocks: int = 30) -> Slope:
    """Of (seconds, value), by least squares over the means of blocks.

    The first part, in which caches fill, is left out. Blocks, because one sample is much like the
    next: single ones would make the interval too narrow.
    """
    kept = list(samples)[int(len(samples) * skip) :]
    blocks = min(blocks, len(kept) // 2)
    if blocks < 3:
        raise ValueError("too few samples for a slope")
    points = [_mean(kept[_cut(i, blocks, kept) : _cut(i + 1, blocks, kept)]) for i in range(blocks)]
    return _least_squares([x / 3600 for x, _ in points], [y for _, y in points])


def _cut(i: int, blocks: int, kept: Sequence[object]) -> int:
    return i * len(kept) // blocks


def _mean(part: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return fmean(x for x, _ in part), fmean(y for _, y in part)


def _least_squares(xs: Sequence[float], ys: Sequence[float]) -> Slope:
    mid_x, mid_y = fmean(xs), fmean(ys)
    spread = sum((x - mid_x) ** 2 for x in xs)
    rise = sum((x - mid_x) * (y - mid_y) for x, y in zip(xs, ys, strict=True)) / spread
    rest = sum((y - mid_y - rise * (x - mid_x)) ** 2 for x, y in zip(xs, ys, strict=True))
    freedom = len(xs) - 2
    half = t_quantile(0.975, freedom) * math.sqrt(rest / freedom / spread)
    return Slope(rise, rise - half, rise + half)


def t_quantile(share: float, freedom: int) -> float:
    """Student's t, by its expansion around the normal (0.3 % off at 5 degrees, 0.4 at 4)."""
    z = NormalDist().inv_cdf(share)
    terms: tuple[Callable[[], float], ...] = (
        lambda: (z**3 + z) / 4,
        lambda: (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        lambda: (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term() / freedom**power for power, term in enumerate(terms, 1))
