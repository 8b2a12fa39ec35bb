"""No memory for the KV cache: newer wordings, and the CPU build's."""

from dataclasses import replace

import pytest
from tests.unit.checks.diagnosis.ask import asked, of_log
from tests.unit.checks.hosts import H100, SPARK

from sparkwell.checks.diagnosis.memory.kv_cache_none import CHECK
from sparkwell.checks.diagnosis.memory.kv_cache_too_small import CHECK as TOO_SMALL
from sparkwell.hardware.machine import Machine

CPU = (
    "ValueError: Available memory on node 0 (5.21/15.49 GiB) on kv cache allocation is less than "
    "requested memory for kv ({} GiB). "
)


def test_an_automatic_length_of_nothing() -> None:
    line = "ValueError: Cannot auto-fit max_model_len: not enough GPU memory available to serve"
    assert [each.id for each in asked(CHECK, line)] == ["kv-cache-none"]


def test_a_cache_of_a_given_size_is_made_smaller() -> None:
    [finding] = asked(CHECK, CPU.format("40.0"))
    assert "VLLM_CPU_KVCACHE_SPACE=5 " in (finding.remedies[0].command or "")
    assert "asked for" in (finding.cause or "")


def test_a_share_that_leaves_nothing_is_not() -> None:
    [finding] = asked(CHECK, CPU.format("-1.2/3.4"))
    assert not any("KVCACHE" in (each.command or "") for each in finding.remedies)


def test_the_error_is_quoted_not_the_code_that_raises_it() -> None:
    code = '(EngineCore pid=7)     raise ValueError("No available memory for the cache blocks. "'
    error = "(EngineCore pid=7) ValueError: No available memory for the cache blocks. Try"
    [finding] = asked(CHECK, f"{code}\n{error}")
    assert "line 2" in finding.evidence[0]


START = "INFO 11-20 10:00:05 [c.py:1] Initializing a V1 LLM engine (v{}) with config: x\n"
NONE = "ValueError: No available memory for the cache blocks. Try"
SMALL = (
    "ValueError: To serve at least one request with the models's max seq len (40960), (10.00 GiB KV"
    " cache is needed, which is larger than the available KV cache memory (6.10 GiB). "
)


@pytest.mark.parametrize(
    ("version", "machine", "told"),
    [("0.10.2", SPARK, True), ("0.10.2", H100, False), ("0.25.0", SPARK, False)],
)
def test_old_engines_on_a_spark_lose_it_to_the_page_cache(
    version: str, machine: Machine, told: bool
) -> None:
    for check, line in ((CHECK, NONE), (TOO_SMALL, SMALL)):
        snapshot = replace(of_log(START.format(version) + line), machine=machine)
        [finding] = check.look(snapshot)
        assert (finding.remedies[0].fix == "drop-page-cache") == told


def test_what_looks_alike_is_well() -> None:
    line = "INFO 11-20 10:00:25 [k.py:1] Auto-fit max_model_len: reduced from 262144 to 131072"
    assert asked(CHECK, line) == []
