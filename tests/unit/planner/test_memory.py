"""One device's memory: measured starts are met, and what must always hold does."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.planner.measured import (
    FITTED,
    MACHINES,
    MODELS,
    OTHERS,
    STARTS,
    batches,
    contexts,
    machines,
    models,
    plan,
    planned,
    utilizations,
    versions,
)

from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.units import GIB
from sparkwell.hardware.machine import Machine
from sparkwell.planner.memory import Calibration
from sparkwell.planner.starts import Start, calibration_of

Flags = dict[str, FlagValue]
LOGGED = {name: start for name, start in OTHERS.items() if start.name.startswith("8b-log-")}


def error(tokens: int, start: Start) -> float:
    return abs(tokens / start.kv_tokens - 1)


# ── against what was measured ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", OTHERS)
def test_every_start_that_was_measured_is_planned_within_half_a_percent(name: str) -> None:
    assert error(planned(OTHERS[name]).kv_tokens, OTHERS[name]) < 0.005


@pytest.mark.parametrize("name", FITTED)
def test_the_guides_own_runs_are_planned_within_two_percent(name: str) -> None:
    assert error(planned(FITTED[name]).kv_tokens, FITTED[name]) < 0.02


@pytest.mark.parametrize("name", LOGGED)
def test_a_start_of_the_same_kind_corrects_the_plan(name: str) -> None:
    """Each of the three logs calibrates the same start, made again hours later."""
    seen = LOGGED[name]
    again = twin(seen)
    calibration = calibration_of(seen, planned(seen))
    assert error(planned(again, calibration).kv_tokens, again) < 0.002
    assert planned(again, calibration).measured
    assert not planned(again).measured


def twin(seen: Start) -> Start:
    return next(
        start
        for start in OTHERS.values()
        if start.name not in {each.name for each in LOGGED.values()}
        and start.session.machine == seen.session.machine
        and (start.model, start.warm, start.runner) == (seen.model, seen.warm, None)
        and all(
            start.flags.get(name) == seen.flags.get(name)
            for name in ("max_num_batched_tokens", "max_num_seqs", "enable_sleep_mode")
        )
    )


def test_a_start_that_compiled_corrects_the_next_one_to_the_safe_side() -> None:
    cold, warm = (STARTS[f"8b-2048-1024-auto{end}@NVIDIA H100 80GB HBM3"] for end in ("", "-warm"))
    calibration = calibration_of(cold, planned(cold))
    assert 0.995 < planned(warm, calibration).kv_tokens / warm.kv_tokens < 1
    change = planned(warm).overhead - planned(cold).overhead
    assert change < 0
    moved = replace(calibration, overhead_bytes=calibration.overhead_bytes + change)
    assert error(planned(warm, moved).kv_tokens, warm) < 0.002


@pytest.mark.parametrize("name", [name for name, start in OTHERS.items() if start.held_bytes])
def test_what_is_held_under_load_is_planned_within_two_and_a_half_percent(name: str) -> None:
    start = OTHERS[name]
    assert start.held_bytes is not None
    assert abs(planned(start).held / start.held_bytes - 1) < 0.025


# ── what the terms are ──────────────────────────────────────────────────────────────────────


SPARK, H100 = MACHINES["dgx-spark"], MACHINES["h100-80gb"]
EIGHT = replace(MACHINES["h200-141gb"], gpus=8)
SMALL = MODELS["qwen3-8b-fp8"]


def test_the_budget_is_what_the_terms_make() -> None:
    memory = plan(SMALL, H100, {"gpu_memory_utilization": 0.9})
    assert memory.parts is not None
    assert memory.parts.total == memory.overhead
    assert memory.weights + memory.overhead + memory.kv_cache == memory.budget


def test_a_kv_cache_given_in_bytes_is_the_one_planned() -> None:
    memory = plan(SMALL, H100, {"kv_cache_memory_bytes": 10 * GIB})
    assert memory.kv_cache == 10 * GIB
    assert memory.budget == memory.weights + memory.overhead + 10 * GIB


def test_what_is_missing_is_negative_and_holds_no_token() -> None:
    memory = plan(MODELS["llama33-70b-fp8"], H100, {"gpu_memory_utilization": 0.8})
    assert memory.kv_cache < 0
    assert memory.kv_tokens == 0
    assert memory.max_concurrency == 0
    assert memory.held >= memory.weights


def test_unified_memory_also_pays_for_the_engines_processes() -> None:
    here, there = (plan(SMALL, machine, {}).parts for machine in (SPARK, H100))
    assert here is not None
    assert there is not None
    assert (here.host > 0, there.host) == (True, 0)


def test_file_pages_count_only_where_the_version_asks_cuda_what_is_free() -> None:
    model = MODELS["qwen3-32b-fp8"]
    old, new = (plan(model, SPARK, {}, version).parts for version in ("0.11.0", "0.11.1"))
    assert old is not None
    assert new is not None
    assert old.page_cache > GIB
    assert new.page_cache == 0


def test_file_pages_are_given_back() -> None:
    memory = plan(MODELS["qwen3-32b-fp8"], SPARK, {"gpu_memory_utilization": 0.9}, "0.10.1.1")
    assert memory.parts is not None
    assert memory.held == memory.budget - memory.parts.page_cache + memory.outside


def test_a_discrete_gpu_has_room_for_the_rest_and_unified_memory_for_system_and_floor() -> None:
    flags: Flags = {"gpu_memory_utilization": 0.8}
    here, there = plan(SMALL, SPARK, flags), plan(SMALL, H100, flags)
    assert there.headroom == there.total - there.held
    assert here.headroom == here.total - here.held - (SPARK.system_bytes or 0) - SPARK.floor_bytes
    unknown = replace(SPARK, system_bytes=None)
    assert plan(SMALL, unknown, flags).headroom is None


def test_what_was_measured_of_the_overhead_is_held_too() -> None:
    flags: Flags = {"gpu_memory_utilization": 0.9}
    modelled = plan(SMALL, H100, flags)
    more = Calibration(modelled.overhead + GIB, modelled.weights)
    assert plan(SMALL, H100, flags, calibration=more).held == modelled.held
    assert plan(SMALL, H100, flags, calibration=more).kv_cache == modelled.kv_cache - GIB


def test_two_devices_share_weights_and_kv_heads() -> None:
    model = MODELS["qwen3-32b-fp8"]
    one = plan(model, EIGHT, {})
    two = plan(model, EIGHT, {"tensor_parallel_size": 2})
    assert 0.49 < two.weights / one.weights < 0.52
    assert two.kv_per_token * 2 == one.kv_per_token
    assert two.of_gpus == 2
    assert two.kv_tokens > 2 * one.kv_tokens  # weights are shared, the KV cache gets their room


def test_kv_heads_are_not_divided_further_than_one_a_device() -> None:
    model = MODELS["qwen3-30b-a3b-fp8"]  # four of them
    four, eight = (plan(model, EIGHT, {"tensor_parallel_size": each}) for each in (4, 8))
    assert four.kv_per_token == eight.kv_per_token


def test_pipeline_stages_share_the_layers() -> None:
    model = MODELS["qwen3-32b-fp8"]
    one = plan(model, EIGHT, {})
    two = plan(model, EIGHT, {"pipeline_parallel_size": 2})
    assert two.kv_per_token * 2 == one.kv_per_token
    assert 0.45 < two.weights / one.weights < 0.55


# ── what always holds ───────────────────────────────────────────────────────────────────────


@given(models, machines, versions, contexts, batches, utilizations, utilizations)
def test_more_utilization_never_gives_fewer_tokens(
    model: Described,
    machine: Machine,
    version: str,
    context: int,
    batch: Flags,
    one: float,
    other: float,
) -> None:
    low, high = (
        plan(
            model,
            machine,
            {**batch, "max_model_len": context, "gpu_memory_utilization": share},
            version,
        )
        for share in sorted((one, other))
    )
    assert low.kv_tokens <= high.kv_tokens
    assert low.max_concurrency <= high.max_concurrency


@given(models, machines, versions, batches, utilizations, contexts, contexts)
def test_more_context_never_gives_more_concurrency(
    model: Described,
    machine: Machine,
    version: str,
    batch: Flags,
    share: float,
    one: int,
    other: int,
) -> None:
    short, long = (
        plan(
            model,
            machine,
            {**batch, "max_model_len": context, "gpu_memory_utilization": share},
            version,
        )
        for context in sorted((one, other))
    )
    assert short.max_concurrency >= long.max_concurrency
    assert short.kv_cache == long.kv_cache


@given(models, machines, versions, batches, utilizations)
def test_an_fp8_kv_cache_has_exactly_twice_the_tokens_before_rounding(
    model: Described, machine: Machine, version: str, batch: Flags, share: float
) -> None:
    """Half the bytes a token in the same bytes of cache; blocks are whole, so one more may fit."""
    flags = {**batch, "gpu_memory_utilization": share, "max_model_len": 16}
    wide, narrow = (
        plan(model, machine, {**flags, "kv_cache_dtype": kind}, version)
        for kind in ("bfloat16", "fp8")
    )
    assert 2 * narrow.kv_per_token == wide.kv_per_token
    assert narrow.kv_cache == wide.kv_cache
    blocks = (round(wide.max_concurrency), round(narrow.max_concurrency))  # of 16 tokens each
    assert blocks[1] - 2 * blocks[0] in (0, 1)


@given(models, machines, versions, contexts, batches, utilizations, st.integers(0, 40))
def test_a_plan_with_headroom_never_exceeds_the_machine(
    model: Described,
    machine: Machine,
    version: str,
    context: int,
    batch: Flags,
    share: float,
    beside_gib: int,
) -> None:
    flags = {**batch, "max_model_len": context, "gpu_memory_utilization": share}
    memory = plan(model, machine, flags, version, beside_bytes=beside_gib * GIB)
    assert memory.parts is not None
    assert memory.headroom is not None
    reserved = (machine.system_bytes or 0) + machine.floor_bytes if machine.unified else 0
    if memory.headroom >= 0:
        assert memory.held + beside_gib * GIB + reserved <= memory.total
    if memory.kv_cache >= 0:
        given_back = memory.parts.page_cache + memory.parts.sleep
        beside = memory.outside + memory.sleep
        assert memory.held == memory.budget - given_back + beside


@given(models, machines, versions, contexts, batches, utilizations)
def test_a_start_that_compiles_never_has_more_tokens_than_one_that_does_not(
    model: Described, machine: Machine, version: str, context: int, batch: Flags, share: float
) -> None:
    flags = {**batch, "max_model_len": context, "gpu_memory_utilization": share}
    cold, warm = (plan(model, machine, flags, version, warm=kept) for kept in (False, True))
    assert cold.kv_tokens <= warm.kv_tokens
