"""Parts of a verification by hand: a DGX Spark that is as fast as planned, or not."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Planning, Wish
from sparkwell.app.verifying.gathered import Gathered, Started, Step
from sparkwell.bench.beside import expected
from sparkwell.bench.figures import Figures, Spread
from sparkwell.bench.report import About, Beside, document
from sparkwell.bench.results import Measured, Repeat
from sparkwell.bench.suites import SUITES, Case, Changes, cases
from sparkwell.catalog import load_catalog
from sparkwell.planner.plan import Plan

MODEL = "qwen3-8b-fp8"
Json = dict[str, Any]


@cache
def plan(hardware: str = "dgx-spark", profile: str = "guide") -> Plan:
    planning = Planning(find_paths({"HOME": "/nowhere"}), load_catalog(), {})
    return planning.plan(MODEL, Wish(hardware=hardware, profile=profile, version="0.10.1.1"))


def bench(of: Plan, *, slower: float = 1.0, failed: int = 0, broken: str | None = None) -> Json:
    """The guide suite, every step ``slower`` times as long as ``of`` plans it."""
    chosen = cases(SUITES["guide"], Changes(), of.settings.max_model_len)
    found = {place: [_repeat(of, case, slower, failed)] for place, case in enumerate(chosen)}
    about = About(
        f"20260101-000000-{MODEL}-guide", 1.0, MODEL, "guide", "http://10.0.0.7:8000",
        "sparkwell verify --set x=hf_secretsecretsecret1", "1", {"name": of.question.machine.name},
        {"engine": "vllm", "engine_version": "0.10.1.1"},
    )  # fmt: skip
    return document(about, chosen, Measured(found, broken), lambda case: Beside(expected(of, case)))


def _repeat(of: Plan, case: Case, slower: float, failed: int) -> Repeat:
    planned = expected(of, case)
    assert planned is not None
    return Repeat(
        Figures(
            requests=case.requests, failed=failed, seconds=60.0, prompt_tokens=0, output_tokens=0,
            ttft=_spread((planned.ttft_s or 1.0) * slower), tpot=_spread(planned.tpot_s * slower),
            itl=None, e2e=None, output_tokens_per_s=planned.tokens_per_s / slower,
            total_tokens_per_s=0.0, requests_per_s=0.0, goodput=None, good_share=None,
            lag_p99_s=0.0, client_share=0.0,
        ),
        [], 0.0,
    )  # fmt: skip


def _spread(value: float) -> Spread:
    return Spread(*[value] * 6)


def started(of: Plan, **others: Any) -> Started:
    """A start that took just what was planned."""
    phases = {each.name.value: each.warm_s or 0.0 for each in of.startup.phases}
    phases.pop("download", None)
    known: Json = {
        "weights_bytes": of.memory.weights, "kv_cache_tokens": of.memory.kv_tokens,
        "held_bytes": of.memory.held, "warm": True, "seconds": sum(phases.values()),
        "phases": phases,
    }  # fmt: skip
    return Started(**{**known, **others})


def gathered(of: Plan, measured: Mapping[str, Any] | None, *steps: Step) -> Gathered:
    return Gathered(
        model=MODEL, suite="guide", repeats=1, at=0.0, machine=of.question.machine, plan=of,
        started=started(of), bench=None if measured is None else dict(measured),
        instance={"engine": "vllm", "engine_version": "0.10.1.1", "flags": dict(of.question.flags)},
        preflight={"ok": True, "findings": []}, doctor={"ok": True, "findings": []},
        steps=list(steps),
    )  # fmt: skip
