"""Cached files that old engines take for used memory."""

from dataclasses import replace

import pytest
from tests.unit.checks.diagnosis.ask import asked, of_log
from tests.unit.checks.hosts import memory

from sparkwell.checks.diagnosis.memory.page_cache import CHECK
from sparkwell.core.findings import Severity

START = "INFO 11-20 10:00:05 [core.py:1] Initializing a V1 LLM engine (v{}) with config: x\n"
REFUSED = (
    "ValueError: Free memory on device (2.77/119.67 GiB) on startup is less than desired GPU "
    "memory utilization (0.4, 47.87 GiB). Decrease"
)
SERVES = (
    "INFO 11-20 10:00:36 [w.py:391] Free memory on device (112.4/119.67 GiB) on startup. Desired "
    "GPU memory utilization is (0.9, 107.7 GiB). Actual usage is 31.97 GiB for weight, 5.58 GiB "
    "for peak activation, {} GiB for non-torch memory, and 0.61 GiB for CUDAGraph memory."
)


@pytest.mark.parametrize(
    ("version", "available", "told"),
    [("0.10.2", 52, True), ("0.11.0", 52, True), ("0.25.0", 52, False), ("0.10.2", 40, False)],
)
def test_memory_that_is_there_was_not_free(version: str, available: int, told: bool) -> None:
    snapshot = replace(of_log(START.format(version) + REFUSED), system=memory(available, 2))
    found = list(CHECK.look(snapshot))
    assert [each.severity for each in found] == [Severity.ERROR] * told
    for each in found:
        assert each.remedies[0].fix == "drop-page-cache"
        assert "available now: 52.0 GiB" in each.evidence


def test_a_log_alone_does_not_tell_what_was_available() -> None:
    assert asked(CHECK, START.format("0.10.2") + REFUSED) == []


@pytest.mark.parametrize(
    ("version", "other", "told"),
    [
        ("0.10.2", "31.02", True),
        ("0.10.2", "5.72", False),
        ("0.17.1", "31.02", False),
        ("0.10.2", "-3.58", False),
    ],
)
def test_a_cache_that_is_smaller_than_it_could_be(version: str, other: str, told: bool) -> None:
    found = asked(CHECK, START.format(version) + SERVES.format(other))
    assert [each.severity for each in found] == [Severity.WARNING] * told
    assert all("31.0 GiB" in each.title for each in found)


def test_what_was_cached_while_weights_were_read_is_not_dropped_before() -> None:
    size = "INFO 11-20 10:00:16 [w.py:298] Available KV cache memory: 35.31 GiB\n"
    [found] = asked(CHECK, START.format("0.10.2") + size + SERVES.format("31.02"))
    assert all(each.fix is None for each in found.remedies)
    newer, own = (each.command or "" for each in found.remedies)
    assert "26.01-py3" in newer
    assert own.endswith(f"kv_cache_memory_bytes={58 * 2**30}")


def test_a_gpu_with_memory_of_its_own_has_no_page_cache() -> None:
    text = START.format("0.10.2") + SERVES.format("31.02").replace("119.67", "79.18")
    assert asked(CHECK, text) == []
