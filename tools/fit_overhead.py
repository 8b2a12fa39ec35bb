"""Fit the planner's coefficients on the measured starts and print them beside the code's.

A start's memory falls into terms (activations, kernels, graphs, weights), and most of them were
measured one by one. For each coefficient a start says what value would make its term right: those
in which another tensor is the largest say nothing. The fit is the median of what they say, or the
least squares where two coefficients meet in the same term.

With --check nothing is printed but what differs: the exit status is 1 when the code has other
values than the fit, rounded.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from statistics import median

from sparkwell.catalog import load_catalog
from sparkwell.catalog.described import Described, describe_recipe
from sparkwell.core.units import GIB
from sparkwell.engines.vllm.rules import rules_for
from sparkwell.hardware.description import find_machine
from sparkwell.hardware.machine import Machine
from sparkwell.planner.engine_rules import EngineRules
from sparkwell.planner.memory import Calibration, Memory
from sparkwell.planner.overhead import DEFAULT, MIB, Coefficients
from sparkwell.planner.starts import Start, load_starts, plan_start

# Which tensor is the largest depends on the coefficients: so often all are fitted in turn.
ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Case:
    """A start with all that its plan needs."""

    start: Start
    described: Described
    machine: Machine
    rules: EngineRules

    def plan(
        self, coefficients: Coefficients = DEFAULT, calibration: Calibration | None = None
    ) -> Memory:
        """What the planner says of it."""
        return plan_start(
            self.start,
            self.described,
            self.machine,
            self.rules,
            coefficients=coefficients,
            calibration=calibration,
        )


@cache
def cases() -> tuple[Case, ...]:
    """All measured starts."""
    catalog = load_catalog()
    return tuple(
        Case(
            start,
            describe_recipe(catalog.get(start.model)),
            find_machine(start.session.machine),
            rules_for(start.session.engine_version),
        )
        for start in load_starts()
    )


# ── terms: what was measured, and what the planner says of it ───────────────────────────────


def _graphs(start: Start) -> int | None:
    """The engine's estimate, but where sizes were given: that flag is not modelled."""
    return start.graph_bytes if "compilation_config" not in start.flags else None


def _tokens(start: Start) -> int | None:
    """The KV cache as a loss, for starts of which nothing else is known."""
    return -start.kv_tokens if start.session.fitted else None


TERMS: Mapping[str, tuple[Callable[[Start], int | None], Callable[[Memory], float]]] = {
    "weights": (lambda start: start.weights_bytes, lambda memory: memory.weights),
    "peak": (lambda start: start.peak_bytes, lambda memory: memory.parts.activations),
    "kernels": (
        lambda start: start.non_torch_bytes,
        lambda memory: memory.parts.kernels + memory.parts.sleep,
    ),
    "graphs": (_graphs, lambda memory: memory.parts.graphs),
    "tokens": (_tokens, lambda memory: -memory.kv_cache / memory.kv_per_token),
}


@dataclass(frozen=True, slots=True)
class Fitted:
    """Coefficients that are fitted together in one term, with the steps that they are rounded to.

    ``alone`` are the values where no start says anything: what follows from the engine's source.
    """

    term: str
    steps: Mapping[str, float]
    alone: Mapping[str, float] = field(default_factory=dict)


FITTED = (
    Fitted("peak", {"first_hidden": 1}, {"first_hidden": 0}),
    Fitted("peak", {"first_hidden_quantized": 1}, {"first_hidden_quantized": 0}),
    Fitted("peak", {"kept_hidden": 1}, {"kept_hidden": 0}),
    Fitted("peak", {"kept_hidden_quantized": 1}, {"kept_hidden_quantized": 0}),
    Fitted("peak", {"eager_hidden": 1}, {"eager_hidden": 0}),
    # Residual and input in 2 bytes each; 128 experts' logits in 4 bytes for a hidden size of 2048.
    Fitted("peak", {"moe_hidden": 0.5}, {"moe_hidden": 4.25, "moe_gathered": 0}),
    Fitted(
        "peak",
        {"logits_v1": 0.1, "sampler_v1_bytes": MIB},
        {"logits_v1": 20, "sampler_v1_bytes": 0},
    ),
    Fitted("kernels", {"kernels_v1_bytes": MIB}, {"kernels_v1_bytes": 0}),
    Fitted("kernels", {"kernels_v2_bytes": MIB}, {"kernels_v2_bytes": 0}),
    Fitted("kernels", {"dummy_scratch": 0.1}, {"dummy_scratch": 0}),
    Fitted("graphs", {"graph_mib": 0.01}, {"graph_mib": 0}),
    Fitted("weights", {"marlin_weight": 0.0001}, {"marlin_weight": 0}),
    Fitted(
        "tokens",
        {"host_bytes": 0.05 * GIB, "page_cache_share": 0.001},
        {"host_bytes": 0, "page_cache_share": 0},
    ),
)
# Bytes an element of the tensors that are alive: set, not fitted, and compared with the starts.
SET = {
    "hidden": "peak",
    "gate_up_act": "peak",
    "quantized_act": "peak",
    "qkv": "peak",
    "first_embedding": "peak",
    "moe_workspace": "peak",
    "logits_v2": "peak",
}


# ── the fit ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Reading:
    """What one start says: measured less planned, and how much one of each coefficient adds."""

    missing: float
    slopes: tuple[float, ...]


def readings(
    found: Iterable[Case], term: str, names: Sequence[str], now: Coefficients
) -> list[Reading]:
    """The starts in which one of the coefficients decides."""
    measured, said = TERMS[term]
    every = []
    for case in found:
        value = measured(case.start)
        if value is None:
            continue
        slopes = tuple(_slope(case, said, name, now) for name in names)
        if any(slopes):
            every.append(Reading(value - said(case.plan(now)), slopes))
    return every


def _slope(case: Case, said: Callable[[Memory], float], name: str, now: Coefficients) -> float:
    """How much one more adds; 0 where another tensor is the largest, here or a hundredth beside."""
    value = getattr(now, name)
    step = 0.01 * max(abs(value), 1)
    low, mid, high = (
        said(case.plan(replace(now, **{name: value + shift}))) for shift in (-step, 0, step)
    )
    return (high - low) / (2 * step) if low != mid != high else 0.0


def says(reading: Reading, now: float) -> float:
    """The value of a single coefficient that makes the term of this start right."""
    return now + reading.missing / reading.slopes[0]


def fit(found: Sequence[Case]) -> Coefficients:
    """The coefficients from these starts alone, rounded as in the code.

    Begins with the code's values; they decide which starts are asked first, not what these say.
    """
    now = DEFAULT
    for _ in range(ROUNDS):
        for fitted in FITTED:
            now = replace(now, **_fit_one(found, fitted, now))
    for fitted in FITTED:
        now = replace(
            now, **{name: rounded(now, name, step) for name, step in fitted.steps.items()}
        )
    return now


def _fit_one(found: Sequence[Case], fitted: Fitted, now: Coefficients) -> Mapping[str, float]:
    names = tuple(fitted.steps)
    every = readings(found, fitted.term, names, now)
    if not every:
        return fitted.alone
    if len(names) == 1:
        return {names[0]: median(says(each, getattr(now, names[0])) for each in every)}
    return _least_squares(found, fitted, now)


def _least_squares(found: Sequence[Case], fitted: Fitted, now: Coefficients) -> Mapping[str, float]:
    """Two coefficients at once; where the starts cannot tell them apart, the first one alone."""
    first, second = fitted.steps
    every = readings(found, fitted.term, (first, second), now)
    aa = sum(each.slopes[0] ** 2 for each in every)
    bb = sum(each.slopes[1] ** 2 for each in every)
    ab = sum(each.slopes[0] * each.slopes[1] for each in every)
    ay = sum(each.slopes[0] * each.missing for each in every)
    by = sum(each.slopes[1] * each.missing for each in every)
    size = aa * bb - ab * ab
    if size <= 1e-9 * aa * bb or not bb:
        start = replace(now, **{second: fitted.alone[second]})
        one = Fitted(fitted.term, {first: fitted.steps[first]}, fitted.alone)
        return {second: fitted.alone[second], **_fit_one(found, one, start)}
    return {
        first: getattr(now, first) + (ay * bb - by * ab) / size,
        second: getattr(now, second) + (aa * by - ab * ay) / size,
    }


def rounded(coefficients: Coefficients, name: str, step: float) -> float:
    """A coefficient in whole steps; bytes are whole bytes."""
    value = round(getattr(coefficients, name) / step) * step
    return round(value) if name.endswith("_bytes") else round(value, 6)


def without(model: str, found: Sequence[Case]) -> Coefficients:
    """The coefficients as they would be had no start of that model been measured."""
    return fit([case for case in found if case.start.model != model])


# ── the table ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Line:
    """A coefficient: fitted, in the code, and the range of what single starts say."""

    name: str
    fit: float
    code: float
    starts: int
    low: float | None
    high: float | None
    fitted: bool


def lines(found: Sequence[Case]) -> list[Line]:
    """All coefficients, fitted ones first."""
    fitted = fit(found)
    every = [(name, group.term) for group in FITTED for name in group.steps]
    return [
        *(_line(found, name, term, getattr(fitted, name), fitted) for name, term in every),
        *(_line(found, name, term, None, fitted) for name, term in SET.items()),
    ]


def _line(
    found: Sequence[Case], name: str, term: str, value: float | None, now: Coefficients
) -> Line:
    every = [says(each, getattr(now, name)) for each in readings(found, term, (name,), now)]
    return Line(
        name=name,
        fit=median(every) if value is None else value,
        code=getattr(DEFAULT, name),
        starts=len(every),
        low=min(every, default=None),
        high=max(every, default=None),
        fitted=value is not None,
    )


def shown(name: str, value: float | None) -> str:
    """A coefficient as people read it: bytes of buffers in MiB."""
    if value is None:
        return "-"
    return f"{value / MIB:,.0f} MiB" if name.endswith("_bytes") else f"{value:.4g}"


def differing(found: Sequence[Case]) -> list[str]:
    """The fitted coefficients of which the code has another value."""
    fitted = fit(found)
    names = (name for group in FITTED for name in group.steps)
    return [
        f"{name}: fitted {shown(name, getattr(fitted, name))} ({getattr(fitted, name)!r}), "
        f"in the code {shown(name, getattr(DEFAULT, name))}"
        for name in names
        if abs(getattr(fitted, name) - getattr(DEFAULT, name)) > 1e-6 * abs(getattr(DEFAULT, name))
    ]


def main(arguments: Sequence[str]) -> int:
    """Print the table, or with --check what differs; returns the exit status."""
    wrong = differing(cases())
    if "--check" not in arguments:
        print(f"{'coefficient':24}{'fit':>12}{'code':>12}{'starts':>8}  single starts say")
        for line in lines(cases()):
            values = f"{shown(line.name, line.fit):>12}{shown(line.name, line.code):>12}"
            span = f"{shown(line.name, line.low)} to {shown(line.name, line.high)}"
            mark = "" if line.fitted else " (set, not fitted)"
            print(f"{line.name:24}{values}{line.starts:>8}  {span}{mark}")
    for each in wrong:
        print(each)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
