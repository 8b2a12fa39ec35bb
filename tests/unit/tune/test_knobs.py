"""Which flags are searched on which machine."""

from typing import Any

from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Planning, Wish
from sparkwell.catalog.catalog import load_catalog
from sparkwell.catalog.tuned import GoalName
from sparkwell.planner.plan import Plan
from sparkwell.tune.goal import Goal
from sparkwell.tune.knobs import knobs

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
