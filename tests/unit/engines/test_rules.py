"""vLLM's memory rules by version, and what a rule says of a model and a machine."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.core.errors import UsageError
from sparkwell.core.units import GIB
from sparkwell.engines.vllm.history import history
from sparkwell.engines.vllm.rules import OLDEST, rules_for
from sparkwell.planner.engine_rules import BatchDefaults, EngineRules

READ = [str(version) for version in history().versions if version >= OLDEST]
OLD, MID, NEW = rules_for("0.10.1.1"), rules_for("0.25.0"), rules_for("0.33.0")


def test_the_oldest_as_the_first_dgx_spark_image_has_it() -> None:
    assert OLD.default_utilization == 0.9
    assert OLD.free_memory == "cuda"
    assert not OLD.counts_graphs
    assert not OLD.kv_cache_memory_bytes
    assert OLD.rope_scaling_flag == "rope_scaling"
    assert OLD.fp8_kv_on_gb10 is False
    assert OLD.tokens_round == "blocks"
    assert OLD.measured
    assert rules_for("0.10.1.1+381074ae.nv25.09") == OLD


def test_the_one_that_was_measured_on_an_h100() -> None:
    assert MID.measured
    assert (MID.default_utilization, MID.free_memory, MID.block_tokens) == (0.92, "available", 16)
    assert MID.auto_kv_follows_checkpoint
    assert MID.kv_cache_memory_bytes
    assert MID.sleep_gains_kv
    assert (MID.rope_scaling_flag, MID.rope_config_key) == ("hf_overrides", "rope_parameters")
    assert MID.tokens_round == "concurrency"


@pytest.mark.parametrize(
    ("rule", "before", "since"),
    [
        ("free_memory", "0.11.0", "0.11.1"),
        ("default_utilization", "0.19.0", "0.20.0"),
        ("counts_graphs", "0.19.0", "0.20.0"),
        ("tokens_round", "0.20.0", "0.20.1"),
        ("auto_kv_follows_checkpoint", "0.13.0", "0.14.1"),
        ("fp8_kv_on_gb10", "0.10.2", "0.11.0"),
        ("kv_cache_memory_bytes", "0.10.1.1", "0.10.2"),
        ("rope_scaling_flag", "0.11.0", "0.11.1"),
        ("rope_config_key", "0.11.2", "0.12.0"),
        ("counts_resident", "0.26.0", "0.27.1"),
        ("sleep_gains_kv", "0.26.0", "0.27.1"),
        ("sleep_gains_kv", "0.10.2", "0.11.0"),
        ("v2_counts_graphs", "0.28.0", "0.29.0"),
        ("very_large_batched_tokens", "0.27.1", "0.28.0"),
        ("fuses_quantization", "0.11.2", "0.12.0"),
        ("graph_step_above_256", "0.11.0", "0.11.1"),
    ],
)
def test_between_which_versions_a_rule_changed(rule: str, before: str, since: str) -> None:
    at = READ.index(since)
    assert READ[at - 1] == before
    assert getattr(rules_for(before), rule) != getattr(rules_for(since), rule)


def test_the_source_is_named_and_a_version_that_was_not_read_is_marked() -> None:
    assert MID.source.startswith("read in vLLM 0.25.0 (v1/worker/gpu_worker.py")
    assert MID.source.endswith("starts of it were measured")
    assert "utils/__init__.py" in OLD.source
    between = rules_for("0.27.0")
    assert between.source.startswith("not read; the rules of 0.26.0")
    assert (between.version, between.measured) == ("0.27.0", False)
    newer = rules_for("0.99.1")
    assert newer.source.startswith("not read, newer than any that was; the rules of 0.33.0")
    assert newer.counts_resident


@pytest.mark.parametrize("version", ["0.10.0", "0.10.1", "0.9.2", "0.1"])
def test_older_ones_are_refused(version: str) -> None:
    with pytest.raises(UsageError, match=r"older than any.*0\.10\.1\.1"):
        rules_for(version)


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(UsageError, match="is not a version"):
        rules_for("nightly")


@pytest.mark.parametrize(
    ("rules", "gb10", "gib", "expected"),
    [
        (OLD, True, 119.67, (2048, 256)),
        (MID, True, 121.69, (2048, 256)),
        (NEW, True, 121.69, (2048, 256)),
        (NEW, False, 79.18, (8192, 1024)),
        (NEW, False, 139.8, (8192, 1024)),
        (NEW, False, 178.0, (16384, 1024)),
        (MID, False, 178.0, (8192, 1024)),
        (MID, False, 47.5, (2048, 256)),
    ],
)
def test_batch_defaults_by_machine(
    rules: EngineRules, gb10: bool, gib: float, expected: tuple[int, int]
) -> None:
    assert rules.defaults_for(gb10, int(gib * GIB)) == BatchDefaults(*expected)


DENSE, MOE = "Qwen3ForCausalLM", "Qwen3MoeForCausalLM"


@pytest.mark.parametrize(
    ("version", "architecture", "moe", "quantized", "leaves"),
    [
        ("0.19.0", DENSE, False, True, False),
        ("0.20.0", DENSE, False, True, True),
        ("0.22.0", DENSE, False, True, True),  # quantized: still the first runner
        ("0.22.0", DENSE, False, False, False),
        ("0.23.0", "LlamaForCausalLM", False, False, False),
        ("0.24.0", "LlamaForCausalLM", False, True, False),
        ("0.25.0", DENSE, False, True, False),  # no estimate in the three H100 logs
        ("0.25.0", MOE, True, True, True),
        ("0.28.0", MOE, True, True, True),
        ("0.29.0", DENSE, False, True, True),
        ("0.33.0", MOE, True, True, True),
    ],
)
def test_whether_graphs_leave_the_budget(
    version: str, architecture: str, moe: bool, quantized: bool, leaves: bool
) -> None:
    rules = rules_for(version)
    assert rules.graphs_leave_budget(architecture, moe=moe, quantized=quantized) is leaves


def test_the_runner_by_version() -> None:
    runners = [rules_for(v).runner(DENSE, moe=False, quantized=True) for v in ("0.21.0", "0.25.0")]
    assert runners == ["v1", "v2"]
    assert MID.runner("Qwen2MoeForCausalLM", moe=True, quantized=False) == "v2"
    assert NEW.runner(MOE, moe=True, quantized=True) == "v2"


def test_graph_sizes_as_the_logs_have_them() -> None:
    """19 sizes for 64 sequences and 51 for 512 were captured in the recorded 0.25.0 starts."""
    assert len(MID.graph_sizes(64, 16384)) == 19
    assert MID.graph_sizes(64, 16384)[-1] == 128
    assert len(MID.graph_sizes(512, 16384)) == 51
    assert len(OLD.graph_sizes(512, 16384)) == 67
    assert MID.graph_sizes(1) == (1, 2)
    assert MID.graph_sizes(64, 20) == (1, 2, 4, 8, 16, 20)
    assert NEW.graph_sizes(30, 8192)[-7:] == (16, 24, 30, 32, 40, 48, 56)


@given(st.sampled_from(READ), st.integers(1, 4096), st.none() | st.integers(1, 65536))
def test_graph_sizes_are_ascending_and_within_the_limit(
    version: str, sequences: int, batched_tokens: int | None
) -> None:
    sizes = rules_for(version).graph_sizes(sequences, batched_tokens)
    assert sizes[0] == 1
    assert list(sizes) == sorted(set(sizes))
    assert sizes[-1] <= min(2 * sequences, 512, batched_tokens or 512)


@pytest.mark.parametrize("version", READ)
def test_every_version_that_was_read_has_every_rule(version: str) -> None:
    rules = rules_for(version)
    optional = {"very_large_batched_tokens"}
    known = {field.name for field in fields(EngineRules)} - optional
    assert all(getattr(rules, name) is not None for name in known)
    assert rules.version == version
