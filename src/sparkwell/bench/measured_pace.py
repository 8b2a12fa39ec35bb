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
_USUAL = 0.75
LONG_S = 0.2
"""From here on arithmetic decides when a first token comes; before, what is fixed shows as much."""


def pace(runs: Iterable[Json], machine: Machine, version: str | None, flags: Flags) -> Pace:
    """From the newest whole runs of one model, newest first; as modelled where they tell nothing.

    Only runs with the same flags tell, as far as those bear on the pace: an engine without CUDA
    graphs, say, has steps that are twice as long, and says nothing of one with them.
    A case tells of steps where all its clients ran at once: by its TPOT, or by the usual gap of
    two tokens where that is shorter: others' prompts were read in some, which plans reckon apart.
    It tells of first tokens by its TTFT, where there was one client: of several that come together
    the engine decides the order.
    What a short prompt takes besides is fixed: many prompts that come together take it once.
    """
    told = list(islice((run for run in runs if _tells(run, machine, version, flags)), NEWEST))
    cases = [each for run in told for each in _sound(run["cases"])]
    steps = _steps(cases)
    if not steps:
        return AS_MODELLED
    firsts = list(_firsts(cases))
    first = _median([got / model for got, model in firsts if model >= LONG_S], 1.0)
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


def _steps(cases: Iterable[Planned]) -> Mapping[int, Sequence[float]]:
    """Measured over modelled, by clients."""
    found: dict[int, list[float]] = {}
    for case, planned_by in cases:
        clients = case["clients"]
        if _was_interrupted(case):
            continue
        for got, model in _pair(case, _step(case), "tpot_s", planned_by.step_at(clients)):
            found.setdefault(clients, []).append(got / model)
    return found


def _step(case: Json) -> float | None:
    """Seconds from token to token. An event may carry several tokens: then a gap is no step."""
    told = (mean_of(case, "tpot_p50_s"), mean_of(case, "itl_p50_s"))
    return min((each for each in told if each), default=None)


def _was_interrupted(case: Json) -> bool:
    """Whether a token's mean time is far from the usual gap: others' prompts were read between.

    Eight prompts of 32,000 tokens gave 110 ms a token where a step took 38.
    """
    mean, gap = mean_of(case, "tpot_p50_s"), mean_of(case, "itl_p50_s")
    return bool(mean and gap and gap < _USUAL * mean)


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
