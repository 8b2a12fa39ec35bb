"""Which flags are searched on which machine."""

from typing import Any

import pytest

from sparkwell.app.paths import find_paths
from sparkwell.app.planning import Planning, Wish
from sparkwell.catalog.catalog import load_catalog
from sparkwell.catalog.tuned import Goal as GoalName
from sparkwell.planner.plan import Plan
from sparkwell.tune.goal import Goal
from sparkwell.tune.knobs import (
    Knob,
    changed,
    flags_of,
    is_possible,
    knobs,
    nearest,
    own_cache,
    with_value,
)

PLANNING = Planning(find_paths({"SPARKWELL_HOME": "/nowhere"}), load_catalog(), {})


def plan(hardware: str, model: str = "qwen3-8b-fp8") -> Plan:
    return PLANNING.plan(model, Wish(hardware=hardware, version="0.25.0"))


def space(
    hardware: str = "h100-80gb", goal: GoalName = "throughput", clients: int = 256, **options: Any
) -> dict[str, tuple[Any, ...]]:
    version = options.pop("version", "0.25.0")
    found = knobs(Goal(goal, None, (clients,)), plan(hardware), version, **options)
    return {each.name: each.values for each in found}


def test_a_gpu_has_sizes_caches_and_kernels() -> None:
    assert space() == {
        "max_num_seqs": (4, 8, 16, 32, 64, 96, 128, 192, 256),
        "max_num_batched_tokens": (2048, 4096, 8192, 16384, 32768),
        "kv_cache_dtype": (None, "fp8"),
        "enable_prefix_caching": (None, False),
        "attention_backend": (None, "FLASH_ATTN", "FLASHINFER"),
    }


def test_no_longer_steps_where_memory_is_the_systems_own() -> None:
    assert max(space("dgx-spark")["max_num_batched_tokens"]) == 8192


def test_a_cpu_has_sizes_and_prefix_caching() -> None:
    assert set(space("cpu", clients=16)) == {
        "max_num_seqs", "max_num_batched_tokens", "enable_prefix_caching",
    }  # fmt: skip


def test_no_more_sequences_than_there_are_clients() -> None:
    assert space(clients=20)["max_num_seqs"][-1] == 32


def test_many_clients_ask_for_larger_graphs_too() -> None:
    assert space(clients=768)["max_cudagraph_capture_size"] == (None, 1024)


def test_latency_tries_graphs_that_have_room_for_a_prompt() -> None:
    assert space(goal="latency", clients=8)["max_cudagraph_capture_size"] == (None, 512)
    assert space(goal="latency", clients=768)["max_cudagraph_capture_size"] == (None, 512, 1024)
    assert "max_cudagraph_capture_size" not in space(clients=256)


def test_latency_tries_the_mode_for_it() -> None:
    assert space(goal="latency")["performance_mode"] == (None, "interactivity")


def test_what_the_version_does_not_know_is_left_out() -> None:
    assert "attention_backend" not in space(version="0.11.0")
    assert "performance_mode" not in space(goal="latency", version="0.16.0")


def test_what_somebody_fixed_is_left_out() -> None:
    assert "max_num_seqs" not in space(fixed={"max_num_seqs"})


def test_guessing_is_for_those_who_ask() -> None:
    assert "speculative_config" not in space()
    [none, ngram] = space(guessing=True)["speculative_config"]
    assert none is None
    assert "ngram" in ngram


SEQS = Knob("max_num_seqs", (8, 64, 256), ordered=True)
BACKEND = Knob("attention_backend", (None, "FLASHINFER"))


@pytest.mark.parametrize(("given", "near"), [(64, 64), (50, 64), (9, 8), (1000, 256), (None, 8)])
def test_a_search_begins_at_the_nearest_value(given: Any, near: int) -> None:
    assert nearest([SEQS], {"max_num_seqs": given})["max_num_seqs"] == near


def test_a_flag_that_is_not_set_is_the_engines_own() -> None:
    assert nearest([BACKEND], {}) == {"attention_backend": None}


def test_a_value_from_before_is_put_in_its_place() -> None:
    assert with_value(SEQS, 48).values == (8, 48, 64, 256)
    assert with_value(SEQS, 64).values == (8, 64, 256)
    assert with_value(BACKEND, None).values == (None, "FLASHINFER")


def test_what_was_set_before_cannot_be_left_out() -> None:
    """To leave a flag out does not unset what recipe or settings say."""
    assert with_value(BACKEND, "TRITON_ATTN").values == ("TRITON_ATTN", "FLASHINFER")
    assert with_value(BACKEND, "FLASHINFER").values == ("FLASHINFER",)


def test_what_was_not_set_before_may_stay_so() -> None:
    """The engine's own choice is no size of ours."""
    knob = with_value(SEQS, None)
    assert knob.values == (None, 8, 64, 256)
    assert nearest([knob], {}) == {"max_num_seqs": None}


def test_no_flag_is_set_for_none() -> None:
    assert flags_of({"a": None, "b": False, "c": 0}) == {"b": False, "c": 0}


def test_what_changed() -> None:
    assert changed({"a": 1, "b": None}, {"a": 2, "b": None}) == {"a": 1}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"max_num_seqs": 64, "max_num_batched_tokens": 64}, True),
        ({"max_num_seqs": 65, "max_num_batched_tokens": 64}, False),
        ({"max_num_seqs": 65}, True),
        ({}, True),
    ],
)
def test_a_step_has_room_for_all_sequences(values: dict[str, Any], said: bool) -> None:
    assert is_possible(values) is said


def test_a_seed_with_a_narrow_cache_has_a_twin_without() -> None:
    caches = [Knob("kv_cache_dtype", (None, "fp8")), Knob("max_num_seqs", (64, 256), ordered=True)]
    assert own_cache(caches, {"kv_cache_dtype": "fp8", "max_num_seqs": 256}) == {
        "kv_cache_dtype": None, "max_num_seqs": 256,
    }  # fmt: skip
    before = [Knob("kv_cache_dtype", ("fp8", "bfloat16"))]
    assert own_cache(before, {"kv_cache_dtype": "fp8"}) == {"kv_cache_dtype": "bfloat16"}
    assert own_cache([], {"max_num_seqs": 256}) == {"max_num_seqs": 256}
