"""The plan that a run is compared with."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Planning
from sparkwell.app.watching.run_plans import RunPlans, plan_of
from sparkwell.catalog import load_catalog
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.hardware.description import find_machine
from sparkwell.planner.plan import Plan

CATALOG = load_catalog()


def spec(model: str = "qwen3-8b-fp8", engine: str = "vllm", **flags: object) -> LaunchSpec:
    labels = {"flags": json.dumps(flags), "device": "cuda"}
    end = Endpoint(uds="/s")
    return LaunchSpec("q-1", model, engine, "0.25.0", ("true",), end, labels=labels)


@pytest.fixture
def planning(tmp_path: Path) -> Planning:
    made = Planning(find_paths({"SPARKWELL_HOME": str(tmp_path)}), CATALOG, {})
    made.__dict__["here"] = find_machine("dgx-spark")
    return made


def test_it_is_made_with_the_flags_of_the_run_and_no_others(planning: Planning) -> None:
    flags: dict[str, Any] = {"max_model_len": 4096, "max_num_seqs": 3}
    flags["gpu_memory_utilization"] = 0.2
    plan = plan_of(planning, CATALOG, spec(**flags))
    assert plan is not None
    assert dict(plan.question.flags) == flags
    assert plan.settings.max_num_seqs == 3
    assert plan.speed is not None


@pytest.mark.parametrize(
    "run",
    [
        spec("a-model-that-the-catalog-has-lost"),
        spec(engine="ollama"),
        spec(max_model_len=10_000_000_000),
        LaunchSpec("q-1", "qwen3-8b-fp8", "vllm", "0.25.0", ("true",), Endpoint(uds="/s")),
    ],
)
def test_some_runs_have_no_plan(planning: Planning, run: LaunchSpec) -> None:
    assert plan_of(planning, CATALOG, run) is None


async def test_it_is_made_once_and_in_a_thread() -> None:
    made: list[str] = []

    def make(run: LaunchSpec) -> Plan | None:
        made.append(threading.current_thread().name)
        raise ValueError("a mistake of ours keeps nobody from serving")

    plans = RunPlans(make)
    assert plans.of(spec()) is None
    assert plans.of(spec()) is None
    await plans.close()
    assert plans.of(spec()) is None
    assert len(made) == 1
    assert made[0] != threading.current_thread().name
    plans.keep(())
    plans.of(spec())
    await plans.close()
    assert len(made) == 2
