"""What runs that were kept say of a model's speed on this machine. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from statistics import median
from typing import Any

import msgspec

from sparkwell.bench.notes import doubts
from sparkwell.bench.pace_flags import Flags, pace_flags
from sparkwell.bench.run_document import mean_of
from sparkwell.hardware.machine import Machine
from sparkwell.planner.pace import AS_MODELLED, MODEL, Pace

Json = Mapping[str, Any]
Pair = tuple[float, float]
Planned = tuple[Json, Pace]
"""A case, and what its own plan was corrected by."""
NEWEST = 3
"""Runs that count: what an engine, a driver or a cooler was before does not."""
_LEAST, _MOST = 0.2, 5.0
"""Beyond that something else was wrong than the model of speed."""
_MOST_READING = 0.5
"""Of a round, for prompts: what is left of one beyond that says more of them than of steps."""
LONG_S = 0.2
"""From here on arithmetic decides when a first token comes; before, what is fixed shows as much."""


def pace(runs: Iterable[Json], machine: Machine, version: str | None, flags: Flags) -> Pace:
    """From the newest whole runs of one model, newest first; as modelled where they tell nothing.

    Only runs with the same flags tell, as far as those bear on the pace: an engine without CUDA
    graphs, say, has steps that are twice as long, and says nothing of one with them.
    A case tells of steps where all its clients ran at once. One client's TPOT is a step. Of several
    it has others' prompts in it, and the gap between two tokens leaves out what comes now and then:
    there a step is what is left of an answer's time beside what the plan says of their prompts.
    It tells of first tokens by its TTFT, where there was one client: of several that come together
    the engine decides the order.
    What a short prompt takes besides is fixed: many prompts that come together take it once.
    """
    told = list(islice((run for run in runs if _tells(run, machine, version, flags)), NEWEST))
    cases = [each for run in told for each in _sound(run["cases"])]
    firsts = list(_firsts(cases))
    first = _median([got / model for got, model in firsts if model >= LONG_S], 1.0)
    steps = _steps(cases, first)
    if not steps:
        return AS_MODELLED
    late_s = _median([got - first * model for got, model in firsts if model < LONG_S], 0.0)
    at = max(float(run["at"]) for run in told)
    by_clients = tuple((clients, median(found)) for clients, found in sorted(steps.items()))
    return Pace(by_clients, first, late_s, sum(map(len, steps.values())), at)


def _median(values: Sequence[float], otherwise: float) -> float:
    return median(values) if values else otherwise


def _tells(run: Json, machine: Machine, version: str | None, flags: Flags) -> bool:
    """A run of whose GPUs or flags nothing is known tells nothing."""
    there = (run["machine"].get("name"), run["machine"].get("gpus"))
    return (
        run["broken"] is None
        and there == (machine.name, machine.gpus)
        and run["versions"].get("engine_version") == version
        and run["flags"] is not None
        and pace_flags(run["flags"]) == pace_flags(flags)
    )


def _sound(cases: Iterable[Json]) -> Iterator[Planned]:
    """Of clients that all ran at once, with no doubt and no failure; planned by today's model."""
    for case in cases:
        planned = case["planned"]
        if not planned or case["failed"] or doubts(case):
            continue
        corrected = _pace(planned)
        if corrected and case["clients"] and planned.get("running") == case["clients"]:
            yield case, corrected


def _steps(cases: Iterable[Planned], first: float) -> Mapping[int, Sequence[float]]:
    """Measured over modelled, by clients; prompts take ``first`` times what the model says."""
    found: dict[int, list[float]] = {}
    for case, planned_by in cases:
        clients = case["clients"]
        got = _step(case, first / planned_by.first)
        for measured, model in _pair(case, got, "tpot_s", planned_by.step_at(clients)):
            found.setdefault(clients, []).append(measured / model)
    return found


def _step(case: Json, prompts: float) -> float | None:
    """Seconds from token to token; None where reading prompts took most of the time.

    ``prompts`` is what they take by now over what the case's own plan said. Eight of 32,000 tokens
    gave 110 ms a token where a step took 38.
    """
    token_s = mean_of(case, "tpot_p50_s")
    if case["clients"] == 1:
        return token_s
    whole_s, reading_s = mean_of(case, "e2e_mean_s"), _reading_s(case)
    if not token_s or not whole_s or reading_s is None:
        return None
    reading_s *= prompts
    if reading_s > _MOST_READING * whole_s:
        return None
    # Never longer than a token usually takes: an engine that stood still lengthens few answers.
    return min(token_s, (whole_s - reading_s) / int(case["workload"]["output_tokens"]))


def _reading_s(case: Json) -> float | None:
    """Seconds that all clients' prompts take in a round, by the case's own plan."""
    planned, output = case["planned"], int(case["workload"]["output_tokens"])
    rate, step_s = planned.get("tokens_per_s"), planned.get("tpot_s")
    if not rate or not step_s:
        return None
    return float(max(0.0, case["clients"] * output / rate - output * step_s))


def _firsts(cases: Iterable[Planned]) -> Iterator[Pair]:
    for case, planned_by in cases:
        if case["clients"] == 1:
            got = mean_of(case, "ttft_p50_s")
            yield from _pair(case, got, "ttft_s", planned_by.first, planned_by.late_s)


def _pace(planned: Json) -> Pace | None:
    """What a case's own plan was corrected by; None where another model of speed made it."""
    said: Any = planned.get("pace")
    try:
        found = msgspec.convert(said, Pace)
    except msgspec.ValidationError:
        return None
    numbers = [clients for clients, _ in found.steps]
    is_sound = numbers == sorted({each for each in numbers if each > 0})
    is_sound &= min(found.first, *(each for _, each in found.steps), 1.0) > 0
    return found if is_sound and said.get("model") == MODEL else None


def _pair(
    case: Json, got: float | None, planned: str, times: float, more_s: float = 0.0
) -> Iterator[Pair]:
    """Measured and modelled seconds; a plan that was corrected is taken back to the model first."""
    estimate = case["planned"].get(planned)
    if got is None or not estimate:
        return
    modelled = (estimate - more_s) / times
    if modelled > 0 and _LEAST <= got / modelled <= _MOST:
        yield got, modelled
