"""What was expected of a case."""

from pathlib import Path

import pytest

from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Planning, Wish
from sparkwell.bench.beside import Expected, expected
from sparkwell.bench.suites import SUITES, Case, suite
from sparkwell.bench.workload import Workload
from sparkwell.catalog import load_catalog
from sparkwell.catalog.recipe import FlagValue
from sparkwell.planner.plan import Plan

MODEL = "qwen3-8b-fp8"


def planned(home: Path, model: str, wish: Wish) -> Plan:
    return Planning(find_paths({"HOME": str(home)}), load_catalog(), {}).plan(model, wish)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return planned(tmp_path, MODEL, Wish(hardware="dgx-spark", profile="guide"))


def of(
    plan: Plan, clients: int, workload: Workload = SUITES["guide"].cases[0].workload
) -> Expected:
    found = expected(plan, Case("x", workload, clients, clients=clients))
    assert found is not None
    return found


def test_no_plan_beats_the_roofline(plan: Plan) -> None:
    for clients in (1, 16, 32, 64):
        found = of(plan, clients)
        assert 0.2 < found.tokens_per_s / found.limit_tokens_per_s < 1
        assert found.tpot_limit_s < found.tpot_s


def test_one_client_is_as_fast_as_the_plan_says(plan: Plan) -> None:
    """But for the prompt, and a context of its own."""
    assert plan.speed is not None
    assert 1 / of(plan, 1).tpot_s == pytest.approx(plan.speed.single_tokens_per_s, rel=0.1)


@pytest.mark.parametrize(
    ("model", "machine", "flags"),
    [
        ("qwen3-32b", "h200-141gb", {"quantization": "fp8"}),
        ("qwen3-32b-fp8", "dgx-spark-x2", {"tensor_parallel_size": 2}),
        ("qwen3-32b-fp8", "dgx-spark-x2", {"pipeline_parallel_size": 2}),
        ("qwen3-32b-fp8", "dgx-spark", {"kv_cache_dtype": "fp8"}),
    ],
)
def test_flags_change_what_is_expected_as_they_change_the_plan(
    tmp_path: Path, model: str, machine: str, flags: dict[str, FlagValue]
) -> None:
    """Weights that the engine makes FP8 while it loads; a KV cache on several devices."""
    plan = planned(tmp_path, model, Wish(hardware=machine, flags=flags))
    assert plan.speed is not None
    as_planned = Workload(plan.speed.context - 128, 256)
    for each in plan.speed.batched:
        found = of(plan, each.concurrency, as_planned)
        assert found.tpot_s == pytest.approx(each.concurrency / each.tokens_per_s)
        assert found.tpot_limit_s == pytest.approx(each.concurrency / each.limit_tokens_per_s)


def test_more_clients_get_more_together_and_each_waits_longer(plan: Plan) -> None:
    one, many = of(plan, 1), of(plan, 16)
    assert many.tokens_per_s > 5 * one.tokens_per_s
    assert one.ttft_s is not None
    assert many.ttft_s is not None
    assert many.ttft_s > one.ttft_s


def test_who_does_not_run_waits_and_nobody_says_how_long(plan: Plan) -> None:
    most = plan.settings.max_num_seqs
    found = of(plan, 4 * most)
    assert (found.running, found.ttft_s) == (most, None)
    assert found.tokens_per_s == of(plan, most).tokens_per_s


def test_a_cache_bounds_how_many_run(plan: Plan) -> None:
    long = Workload(32_000, 256)
    assert of(plan, 64, long).running == plan.memory.kv_tokens // long.tokens


@pytest.mark.parametrize(
    "case",
    [
        Case("1/s", Workload(512, 256), 9, rate=1.0),
        suite("prefix").cases[0],
        Case("too long", Workload(10**9, 1), 9, clients=1),
    ],
)
def test_what_is_not_planned_is_unknown(plan: Plan, case: Case) -> None:
    assert expected(plan, case) is None
