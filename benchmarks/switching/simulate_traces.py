"""Traces of requests for several models, made by a fixed seed: the same for every policy.

Open loops send by the clock, whatever happens; closed loops send the next request when the last
one has been answered. Service times are exponential or lognormal, drawn with the trace.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

MINUTE_S, HOUR_S = 60.0, 3600.0
WARM_8B_S = 73.0
"""Start of Qwen3-8B-FP8 with kept caches, measured: vLLM 0.25.0 on an H100, 2026-11-21."""
COLD_8B_S = 380.0
"""The same with empty caches; taken here for a 70B with kept ones, which was not measured."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that does not fit beside another. ``start_s`` is what a start takes."""

    name: str
    start_s: float = WARM_8B_S


@dataclass(frozen=True, slots=True)
class Call:
    """One request: when it is sent (seconds, or after the last answer), for what, how long."""

    at_s: float
    model: str
    service_s: float


@dataclass(frozen=True, slots=True)
class Trace:
    """``calls`` by the clock; ``clients`` each send their calls one after another.

    A client's ``at_s`` is its pause before the call. Nothing is sent after ``lasts_s``.
    """

    name: str
    what: str
    models: tuple[Model, ...]
    lasts_s: float
    calls: tuple[Call, ...] = ()
    clients: tuple[tuple[Call, ...], ...] = field(default=())


Draw = Callable[[random.Random], float]


def exponential(mean_s: float) -> Draw:
    """Short answers mostly, some long."""
    return lambda chance: chance.expovariate(1 / mean_s)


def lognormal(median_s: float, sigma: float = 0.8) -> Draw:
    """As chats are: a long tail."""
    return lambda chance: chance.lognormvariate(math.log(median_s), sigma)


def zipf(count: int, *, every_s: float, lasts_s: float, service: Draw, seed: int = 1) -> Trace:
    """Poisson arrivals; the k-th model is asked for 1/k as often as the first."""
    chance = _chance(seed)
    models = tuple(Model(f"m{rank}") for rank in range(1, count + 1))
    weights = [1 / rank for rank in range(1, count + 1)]
    calls = [
        Call(at, chance.choices(models, weights)[0].name, service(chance))
        for at in _poisson(chance, _every(every_s), lasts_s)
    ]
    what = f"{count} models by Zipf, a request every {every_s:g} s"
    return Trace(f"zipf-{count}", what, models, lasts_s, tuple(calls))


def unequal(*, lasts_s: float, seed: int = 2) -> Trace:
    """Popular and quick to start, or rare and slow: as on a machine with a 70B beside an 8B."""
    chance = _chance(seed)
    models = (Model("8b", WARM_8B_S), Model("32b", 150.0), Model("70b", COLD_8B_S))
    calls = [
        Call(at, chance.choices(models, (80, 15, 5))[0].name, lognormal(8)(chance))
        for at in _poisson(chance, _every(4.0), lasts_s)
    ]
    what = "an 8B (80 %), a 32B (15 %) and a 70B (5 %), a request every 4 s"
    return Trace("unequal", what, models, lasts_s, tuple(calls))


def busy(*, lasts_s: float, seed: int = 8) -> Trace:
    """A model that is never idle, and two that are asked for now and then."""
    chance = _chance(seed)
    models = (Model("busy"), Model("often"), Model("seldom"))
    calls = [
        Call(at, name, lognormal(8)(chance))
        for name, every_s in (("busy", 1.5), ("often", 300.0), ("seldom", 900.0))
        for at in _poisson(chance, _every(every_s), lasts_s)
    ]
    what = "one model every 1.5 s, another every 5 min, a third every 15 min"
    ordered = sorted(calls, key=lambda call: call.at_s)
    return Trace("busy", what, models, lasts_s, tuple(ordered))


def bursts(*, lasts_s: float, seed: int = 3) -> Trace:
    """A quiet stream for one model, and now and then 40 requests at once for another."""
    chance = _chance(seed)
    models = tuple(Model(name) for name in ("steady", "burst-a", "burst-b", "burst-c"))
    calls = [
        Call(at, "steady", lognormal(6)(chance)) for at in _poisson(chance, _every(15.0), lasts_s)
    ]
    for begin in _poisson(chance, _every(8 * MINUTE_S), lasts_s):
        model = chance.choice(models[1:]).name
        calls += [
            Call(begin + chance.uniform(0, 10), model, exponential(10)(chance)) for _ in range(40)
        ]
    what = "one model every 15 s, and every 8 min 40 requests in 10 s for one of three others"
    ordered = sorted(calls, key=lambda call: call.at_s)
    return Trace("bursts", what, models, lasts_s, tuple(ordered))


def alternating_open(*, lasts_s: float, seed: int = 4) -> Trace:
    """A, B, A, B by the clock: the worst for whoever serves in the order of coming."""
    chance = _chance(seed)
    models = (Model("a"), Model("b"))
    calls = [
        Call(5.0 * number, models[number % 2].name, exponential(4)(chance))
        for number in range(int(lasts_s / 5))
    ]
    what = "A, B, A, B, one every 5 s"
    return Trace("alternation, open", what, models, lasts_s, tuple(calls))


def alternating_closed(*, lasts_s: float, clients: int = 8, seed: int = 5) -> Trace:
    """Clients of A and as many of B that never stop: the worst for whoever serves what is there."""
    chance = _chance(seed)
    models = (Model("a"), Model("b"))
    every = [
        tuple(Call(0.2, models[number % 2].name, lognormal(5)(chance)) for _ in range(4000))
        for number in range(clients)
    ]
    what = f"{clients // 2} clients of A and {clients // 2} of B, each sends again 0.2 s later"
    return Trace("alternation, closed", what, models, lasts_s, clients=tuple(every))


def one_agent(*, lasts_s: float, seed: int = 6) -> Trace:
    """One client that asks A, then B, then A: no order can save a switch."""
    chance = _chance(seed)
    models = (Model("a"), Model("b"))
    calls = tuple(Call(1.0, models[n % 2].name, lognormal(5)(chance)) for n in range(2000))
    what = "one client, A and B by turns, each when the other has answered"
    return Trace("one agent", what, models, lasts_s, clients=(calls,))


def day(*, lasts_s: float = 24 * HOUR_S, seed: int = 7) -> Trace:
    """A day: a chat model and a coder while it is light, a batch at night, another rarely."""
    chance = _chance(seed)
    models = (Model("chat"), Model("coder", 150.0), Model("batch"), Model("rare"))

    def every_s(at: float) -> float:
        return 40.0 - 28.0 * _daylight(at, lasts_s)

    def mix(at: float) -> list[float]:
        light = _daylight(at, lasts_s)
        return [1 + 8 * light, 5 * light**2, 6 * (1 - light), 0.4]

    calls = [
        Call(at, chance.choices(models, mix(at))[0].name, lognormal(10)(chance))
        for at in _poisson(chance, every_s, lasts_s)
    ]
    what = "a day with four models: chat and coder by day, batch by night, one rarely"
    return Trace("day", what, models, lasts_s, tuple(calls))


def every_trace(share: float = 1.0) -> Sequence[Trace]:
    """All traces, each that share of its length."""
    lasts_s = 4 * HOUR_S * share
    return (
        zipf(2, every_s=3.0, lasts_s=lasts_s, service=exponential(8)),
        zipf(5, every_s=15.0, lasts_s=lasts_s, service=lognormal(8)),
        unequal(lasts_s=lasts_s),
        busy(lasts_s=lasts_s),
        bursts(lasts_s=lasts_s),
        alternating_open(lasts_s=lasts_s),
        alternating_closed(lasts_s=lasts_s),
        one_agent(lasts_s=lasts_s),
        day(lasts_s=24 * HOUR_S * share),
    )


def _chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a trace, not a secret


def _every(seconds: float) -> Callable[[float], float]:
    return lambda _: seconds


def _daylight(at: float, lasts_s: float) -> float:
    return (1 - math.cos(2 * math.pi * at / lasts_s)) / 2


def _poisson(
    chance: random.Random, every_s: Callable[[float], float], lasts_s: float
) -> Iterator[float]:
    at = 0.0
    while True:
        at += chance.expovariate(1 / every_s(at))
        if at >= lasts_s:
            return
        yield at
