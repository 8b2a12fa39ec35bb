"""Each figure as it was measured, beside the plan's and what the guides claim of it. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sparkwell.app.verifying import verdicts
from sparkwell.app.verifying.gathered import Started
from sparkwell.app.verifying.verdicts import Verdict, of_plan, off_by
from sparkwell.bench.beside import expected
from sparkwell.bench.notes import doubts
from sparkwell.bench.run_document import mean_of
from sparkwell.bench.suites import Case
from sparkwell.bench.workload import Workload
from sparkwell.core.phases import Phase
from sparkwell.planner.plan import Plan

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Guided:
    """A guide's claim on a figure; ``measured`` is in the claim's own unit, ``why`` why it is not.

    ``low`` and ``high`` are the guide's, ``tolerance`` the share of either end that is let pass.
    """

    claim: str
    says: str
    unit: str
    low: float
    high: float
    tolerance: float
    engine_version: str
    measured: float | None
    verdict: Verdict
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure in ``unit``. ``key`` names it for programs, ``name`` for people.

    ``planned`` is None where nothing is planned; then there is no verdict on the plan. ``why``
    says why it was not measured, or why what was measured is held against nothing. ``guides`` are
    the claims on it, the model's own guide first; ``case`` is the measurement of a speed.
    """

    key: str
    name: str
    unit: str
    measured: float | None
    planned: float | None
    tolerance: float
    why: str | None = None
    guides: tuple[Guided, ...] = ()
    case: Case | None = None

    @property
    def verdict(self) -> Verdict | None:
        """What becomes of the plan; None where there is none."""
        return of_plan(self.planned, None if self.why else self.measured, self.tolerance)

    @property
    def off(self) -> float | None:
        """The plan's error as a share of what was measured; None where that is in doubt."""
        if self.planned is None or self.measured is None or self.why:
            return None
        return off_by(self.planned, self.measured)


def figures(plan: Plan | None, started: Started, bench: Json | None) -> list[Figure]:
    """All figures, memory first, then speed, then the start."""
    return [*_memory(plan, started), *_speed(plan, bench), *_start(plan, started)]


def _memory(plan: Plan | None, started: Started) -> Iterator[Figure]:
    unsaid = "the engine did not say"
    outside = "only seen where the start is verify's own"
    tokens = weights = held = None
    if plan is not None:
        tokens, weights = plan.memory.kv_tokens, plan.memory.weights
        held = plan.memory.held * plan.memory.of_gpus
    for figure, why in (
        (Figure("kv_cache_tokens", "KV cache", "tokens", started.kv_cache_tokens, tokens,
                verdicts.KV_CACHE), unsaid),
        (Figure("weights_bytes", "weights", "bytes", started.weights_bytes, weights,
                verdicts.WEIGHTS), unsaid),
        (Figure("held_bytes", "all that it holds", "bytes", started.held_bytes, held,
                verdicts.HELD), outside),
    ):  # fmt: skip
        yield _row(figure, why)


def _speed(plan: Plan | None, bench: Json | None) -> Iterator[Figure]:
    for case in () if bench is None else bench["cases"]:
        if case["clients"] is not None:
            yield from _case(plan, case)


def _case(plan: Plan | None, told: Json) -> Iterator[Figure]:
    """What all clients got together; of one alone also its times."""
    case, why, doubt = case_of(told), _why_not(told), next(iter(doubts(told)), None)
    planned = None if plan is None else expected(plan, case)
    for what, unit, name, field, tolerance in _ALONE if case.clients == 1 else _MANY:
        value = None if planned is None else getattr(planned, field)
        key, said = f"{name}, {case.name}", f"{what}, {case.name}"
        row = Figure(key, said, unit, _mean(told, name), value, tolerance, doubt, case=case)
        yield _row(row, why)


_MANY = (("output", "tokens/s", "output_tokens_per_s", "tokens_per_s", verdicts.TOGETHER),)
_ALONE = (
    ("output", "tokens/s", "output_tokens_per_s", "tokens_per_s", verdicts.ALONE),
    ("a token", "s", "tpot_p50_s", "tpot_s", verdicts.ALONE),
    ("first token", "s", "ttft_p50_s", "ttft_s", verdicts.TOGETHER),
)
"""Names, the figure of the measurement, that of the plan, and what is let pass."""


def case_of(case: Json) -> Case:
    """The case as it ran, from its document."""
    workload = Workload(**case["workload"])
    return Case(case["name"], workload, case["requests"], case["clients"], case["rate"])


def _mean(case: Json, name: str) -> float | None:
    """None as well where requests failed: what is left over is another load."""
    broken = any(each["broken"] for each in case["repeats"])
    return None if case["failed"] or broken else mean_of(case, name)


def _why_not(case: Json) -> str:
    if case["failed"]:
        return f"{case['failed']:,} requests failed"
    return next((str(each["broken"]) for each in case["repeats"] if each["broken"]), "no answer")


WARMTH_UNSAID = "the engine did not say whether it found compiled code"


def _start(plan: Plan | None, started: Started) -> Iterator[Figure]:
    planned = {} if plan is None else planned_phases(plan, warm=started.warm is True)
    warm = planned if plan is None else planned_phases(plan, warm=True)
    for figure, other in (
        (Figure("start_s", "the whole start", "s", started.seconds, sum(planned.values()) or None,
                verdicts.START), sum(warm.values()) or None),
        (Figure("load_s", "loading the weights", "s", started.phases.get(Phase.WEIGHTS),
                planned.get(Phase.WEIGHTS), verdicts.START), warm.get(Phase.WEIGHTS)),
    ):  # fmt: skip
        unsure = started.warm is None and figure.planned != other
        row = replace(figure, why=WARMTH_UNSAID) if unsure else figure
        yield _row(row, "the start was not seen from its beginning")


def planned_phases(plan: Plan, *, warm: bool) -> dict[str, float]:
    """Seconds of each phase whose length is planned; fetching is left out."""
    phases = [each for each in plan.startup.phases if each.name != Phase.DOWNLOAD]
    seconds = {each.name.value: each.warm_s if warm else each.cold_s for each in phases}
    return {name: s for name, s in seconds.items() if s is not None}


def _row(figure: Figure, why: str) -> Figure:
    return figure if figure.measured is not None else replace(figure, why=why)
