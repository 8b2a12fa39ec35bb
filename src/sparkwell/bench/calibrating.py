"""What runs that were kept say of a model's speed on this machine. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from statistics import median
from typing import Any

from sparkwell.bench.doubts import doubts
from sparkwell.planner.pace import AS_MODELLED, Pace

Json = Mapping[str, Any]
NEWEST = 3
"""Runs that count: what an engine, a driver or a cooler was before does not."""
_LEAST, _MOST = 0.2, 5.0
"""Beyond that something else was wrong than the model of speed."""


def pace(runs: Iterable[Json], machine: str, version: str | None) -> Pace:
    """From the newest whole runs of one model, newest first; as modelled where they tell nothing.

    A case tells of steps by its TPOT, where all its clients ran at once, and of first tokens by its
    TTFT, where there was one client: of several that come together the engine decides the order.
    """
    told = list(islice((run for run in runs if _tells(run, machine, version)), NEWEST))
    cases = [case for run in told for case in run["cases"] if _is_sound(case)]
    steps = list(_ratios(cases, "tpot_p50_s", "tpot_s", "step"))
    alone = [case for case in cases if case["clients"] == 1]
    firsts = list(_ratios(alone, "ttft_p50_s", "ttft_s", "first"))
    if not steps:
        return AS_MODELLED
    first = median(firsts) if firsts else 1.0
    return Pace(median(steps), first, len(steps), max(float(run["at"]) for run in told))


def _tells(run: Json, machine: str, version: str | None) -> bool:
    return (
        run["broken"] is None
        and run["machine"].get("name") == machine
        and run["versions"].get("engine_version") == version
    )


def _is_sound(case: Json) -> bool:
    """Planned, of clients that all ran at once, with no doubt noted and nothing failed."""
    planned = case["planned"]
    if planned is None or case["failed"]:
        return False
    return not doubts(case) and planned["running"] == case["clients"]


def _ratios(cases: Iterable[Json], measured: str, planned: str, part: str) -> Iterator[float]:
    """Measured over modelled; a plan that was corrected itself is taken back to the model first."""
    for case in cases:
        got, estimate = case["measured"].get(measured), case["planned"].get(planned)
        if got is None or not estimate:
            continue
        modelled = estimate / (case["planned"].get("pace") or {}).get(part, 1.0)
        ratio = got["mean"] / modelled
        if _LEAST <= ratio <= _MOST:
            yield ratio
