"""Courses of a machine's memory, made up and recorded, and the guard's rules replayed on them.

The made-up ones are of a machine with 122 GiB. The replay has a clock of its own: it takes
samples when the guard would, and nobody ends, so that the rest of the course is seen.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import inf, sin
from pathlib import Path

from sparkwell.guard.judge import Judge, Target
from sparkwell.guard.proc import Sample
from sparkwell.guard.rules import GIB, MIB, History, Limits, next_s

TARGETS = [Target("old", "m", 1.0, pid=1), Target("new", "n", 2.0, pid=2)]
KIB = 1024
JITTER_S = 0.02  # how late a sample may come

Course = Callable[[float], Sample]


@dataclass(frozen=True, slots=True)
class Trace:
    """A course of ``seconds``, and whether the guard should act in it: "term", "kill" or None."""

    name: str
    seconds: float
    course: Course
    expected: str | None


@dataclass(frozen=True, slots=True)
class Act:
    """What the rules asked for, when, and what was available then."""

    at_s: float
    action: str
    available_bytes: int
    instance: str | None
    reason: str


def replay(trace: Trace, limits: Limits, *, seed: int = 0) -> Iterator[Act]:
    """Drive the rules through a course, with another phase and jitter for each seed."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    history, judge = History(), Judge()
    at = chance.uniform(0.0, limits.sample_s)
    while at < trace.seconds:
        history.add(trace.course(at))
        if found := judge.decide(history, limits, TARGETS):
            instance = found.target.instance if found.target else None
            available = history.last.available
            yield Act(at, found.action, available, instance, found.reason)
        at += next_s(history, limits) + chance.uniform(0.0, JITTER_S)


def recorded(path: Path) -> tuple[Trace, Mapping[str, object]]:
    """Read a trace that benchmarks/guard/record.py wrote, and what it says about itself."""
    found = json.loads(path.read_text("utf-8"))
    samples = [_sample(dict(zip(found["columns"], row, strict=True))) for row in found["rows"]]

    def course(at: float) -> Sample:
        latest = max((each for each in samples if each.at <= at), key=lambda each: each.at,
                     default=samples[0])  # fmt: skip
        return _at(at, latest)

    return Trace(path.stem, samples[-1].at, course, None), found


def _only(available_gib: Callable[[float], float]) -> Course:
    return lambda t: Sample(t, _bytes(available_gib(t)))


def _bytes(size_gib: float) -> int:
    return int(max(size_gib, 0.0) * GIB)


def leak(gib_s: float, *, start: float = 12.0, noise: float = 0.0) -> Course:
    """Memory falls evenly to nothing; ``noise`` is added in a fast wave."""
    return _only(lambda t: start - gib_s * t + noise * sin(7 * t))


def load(gib_s: float, *, start: float, end: float) -> Course:
    """Weights are loaded: a steep fall that stops."""
    return _only(lambda t: max(end, start - gib_s * t))


def dips(low: float, held_s: float, *, high: float = 12.0, fall_s: float = 0.3) -> Course:
    """Memory dips every ten seconds, as in profiling and graph capture, and comes back."""

    def available(t: float) -> float:
        since = t % 10 - 3
        if since < 0 or since > held_s + 2 * fall_s:
            return high
        share = min(since / fall_s, 1.0, (held_s + 2 * fall_s - since) / fall_s)
        return high - (high - low) * share

    return _only(available)


def sawtooth(low: float, high: float, period_s: float) -> Course:
    """Serving: memory is taken evenly and given back at once."""
    return _only(lambda t: high - (high - low) * (t % period_s) / period_s)


def page_cache(available: float, *, full_share: float) -> Course:
    """A large file is read: hardly anything is free, much is cached, tasks wait now and then."""

    def course(t: float) -> Sample:
        free = max(0.3, 60.0 - 3.0 * t)
        return Sample(
            t, _bytes(available), free=_bytes(free), cached=_bytes(available - free),
            some_us=int(t * 2e5 + t * full_share * 1e6), full_us=int(t * full_share * 1e6),
        )  # fmt: skip

    return course


def stalls(available: float, free: float, full_share: float) -> Course:
    """Memory stays as it is, and all tasks wait for it so much of the time."""

    def course(t: float) -> Sample:
        waited = int(t * full_share * 1e6)
        return Sample(t, _bytes(available), free=_bytes(free), some_us=waited, full_us=waited)

    return course


def swapping(mib_s: float) -> Course:
    """Just under the soft floor, because swap takes what does not fit."""

    def course(t: float) -> Sample:
        left = max(16 * GIB - int(t * mib_s * MIB), 0)
        return Sample(t, _bytes(7.5), swap_free=left, swap_total=16 * GIB)

    return course


# Of a DGX Spark: 17 to 19 GiB within 10 s after the weights were loaded (facts C2).
SYNTHETIC = (
    Trace("leak of 10 MiB/s", 860, leak(10 / 1024, start=8.3), "term"),
    Trace("leak of 100 MiB/s", 130, leak(0.1), "term"),
    Trace("leak of 100 MiB/s in waves of 0.3 GiB", 130, leak(0.1, noise=0.3), "term"),
    Trace("leak of 500 MiB/s", 26, leak(0.5), "term"),
    Trace("leak of 1 GiB/s", 13, leak(1.0), "term"),
    Trace("fall of 18 GiB in 10 s", 13, leak(1.8, start=20), "kill"),
    Trace("fall of 5 GiB/s", 7, leak(5.0, start=30), "kill"),
    Trace("fall of 10 GiB/s", 4, leak(10.0, start=30), "kill"),
    Trace("fall of 20 GiB/s", 3, leak(20.0, start=40), "kill"),
    Trace("dip to 6 GiB that stays", 30, dips(6, 8), "term"),
    Trace("dip to 3.5 GiB for 0.5 s", 30, dips(3.5, 0.5), "kill"),
    Trace("7 GiB, all tasks stalled half the time", 30, stalls(7, 0.5, 0.5), "kill"),
    Trace("20 GiB count as available, 0.5 free, stalled 80 %", 30, stalls(20, 0.5, 0.8), "term"),
    Trace("swap fills by 500 MiB/s", 30, swapping(500), "kill"),
    Trace("dips to 6 GiB for 1 s (profiling)", 60, dips(6, 1.0), None),
    Trace("dips to 5 GiB for 1 s (profiling)", 60, dips(5, 1.0), None),
    Trace("dips to 4.5 GiB for 0.3 s (graph capture)", 60, dips(4.5, 0.3, fall_s=0.1), None),
    Trace("page cache of 60 GiB, stalled 5 %", 60, page_cache(60, full_share=0.05), None),
    Trace("page cache of 30 GiB, stalled 50 %", 60, page_cache(30, full_share=0.5), None),
    Trace("page cache of 12 GiB, stalled 30 %", 60, page_cache(12, full_share=0.3), None),
    Trace("weights at 5 GiB/s, stops at 9 GiB", 60, load(5, start=100, end=9), None),
    Trace("weights at 15 GiB/s, stops at 9 GiB", 60, load(15, start=100, end=9), None),
    Trace("serving, 8.5 to 12 GiB every 3 s", 60, sawtooth(8.5, 12, 3), None),
    Trace("serving, 7 to 11 GiB every 4 s", 60, sawtooth(7, 11, 4), None),
    Trace("an engine has ended: 5 GiB, then 2 GiB/s more", 30, leak(-2, start=5),
          None),
)  # fmt: skip


def zero_s(trace: Trace, after_s: float = 0.0) -> float:
    """Find when nothing is available any more; infinite when that never comes."""
    steps = int((trace.seconds - after_s) / 0.01)
    times = (after_s + 0.01 * i for i in range(max(steps, 0)))
    return next((t for t in times if trace.course(t).available <= 0), inf)


def _sample(value: Mapping[str, float]) -> Sample:
    sizes = {name: int(each) * KIB for name, each in value.items() if "_" not in name}
    sizes.pop("at")
    rest = {name: each for name, each in value.items() if name.endswith(("_us", "_avg10"))}
    others = ("swap_free", "swap_total", "per_cpu")
    swaps = {name: int(value[name]) * KIB for name in others if name in value}
    return Sample(value["at"], **sizes, **swaps, **rest)  # type: ignore[arg-type]


def _at(at: float, sample: Sample) -> Sample:
    values = dict(zip(("available", *sample.__slots__[2:]), sample.row()[1:], strict=True))
    return Sample(at, **values)  # type: ignore[arg-type]
