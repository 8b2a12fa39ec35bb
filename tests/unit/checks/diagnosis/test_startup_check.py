"""Less memory free at the start than the engine wants."""

from dataclasses import replace

import pytest
from tests.unit.checks.diagnosis.ask import asked, of_log

from sparkwell.checks.diagnosis.memory.startup_check import ABOUT, CHECK
from sparkwell.checks.host_parts import Engine
from sparkwell.core.findings import Finding, Severity
from sparkwell.core.units import GIB

END = "Decrease GPU memory utilization or reduce GPU memory used by other processes."
H100 = (
    "(EngineCore pid=7) ValueError: Free memory on device cuda:0 (14.52/79.18 GiB) on startup is "
    f"less than desired GPU memory utilization (0.85, 67.3 GiB). {END}"
)
SPARK = """
(EngineCore_DP0 pid=7) INFO 11-20 10:00:05 [core.py:1] Initializing a V1 LLM engine (v{}) with x
(EngineCore_DP0 pid=7) ValueError: Free memory on device (61.05/119.67 GiB) on startup is less \
than desired GPU memory utilization (0.9, 107.7 GiB). Decrease
"""
CPU = (
    "ValueError: Available memory on node 0 (5.21/15.49 GiB) on startup is less than desired CPU "
    "memory utilization (0.92, 14.25 GiB). On the CPU backend"
)
EXTERNAL = (
    "ValueError: Free memory on device cuda:0 (31.2/79.18 GiB) on startup is less than the engine's"
    " budget after excluding external process's weights (0.8, 31.37 GiB). Decrease"
)


def commands(finding: Finding) -> str:
    return " | ".join(each.command or "" for each in finding.remedies)


@pytest.mark.parametrize(
    ("text", "share"),
    [(H100, "0.18"), (SPARK.format("0.10.2"), "0.51"), (CPU, "0.33"), (EXTERNAL, "0.79")],
)
def test_the_largest_share_that_passes_is_told(text: str, share: str) -> None:
    """14.52 of 79.18 is 0.183; 61.05 of 119.67 is 0.510."""
    [finding] = asked(CHECK, text)
    assert (finding.id, finding.severity) == ("memory-startup-check", Severity.ERROR)
    assert f"--set gpu_memory_utilization={share}" in commands(finding)
    assert "GiB) on startup" in finding.evidence[0]


@pytest.mark.parametrize("free", [3.0, 15.84, 20.37, 67.0])
def test_the_share_that_is_told_does_pass(free: float) -> None:
    """Whatever the figures were before the log rounded them."""
    [finding] = asked(CHECK, H100.replace("14.52", f"{free}"))
    share = [each for each in finding.remedies if "at most" in each.text]
    for each in share:
        told = float((each.command or "").rsplit("=")[-1])
        assert (told * 79.185) <= free - 0.005
        assert (told + 0.02) * 79.18 > free - 0.02, "not much smaller than needed"
    assert bool(share) == (free > 4.5), "a share that nothing fits in is no help"


def test_of_two_devices_the_fuller_one_counts() -> None:
    other = H100.replace("cuda:0 (14.52", "cuda:1 (9.31").replace("0.85, 67.3", "0.92, 72.85")
    [finding] = asked(CHECK, f"{H100}\n{other}")
    assert "cuda:1" in finding.evidence[0]
    assert "gpu_memory_utilization=0.11" in commands(finding)


def test_a_shorter_context_is_no_cure_and_it_says_so() -> None:
    [finding] = asked(CHECK, H100)
    assert "max-model-len does not help" in (finding.cause or "")
    assert "--kv-cache-memory-bytes" in (finding.cause or "")
    assert "max_model_len" not in commands(finding)


def test_the_page_cache_is_dropped_for_old_engines_on_a_spark_alone() -> None:
    old, new = (asked(CHECK, SPARK.format(version))[0] for version in ("0.10.2", "0.25.0"))
    assert "drop_caches" in commands(old)
    assert "drop_caches" not in commands(new)
    assert "drop_caches" not in commands(asked(CHECK, H100)[0])


def test_who_holds_it_now_is_named_the_one_that_nobody_needs_first() -> None:
    stranger = Engine("vllm", pid=9, container="other", memory_bytes=8 * GIB)
    orphan = Engine("vllm", pid=77, memory_bytes=64 * GIB, orphan=True)
    snapshot = replace(of_log(H100), engines=(stranger, orphan))
    [finding] = CHECK.look(snapshot)
    assert "process 77), whose parent is gone: 64.0 GiB" in finding.evidence[1]
    assert [each.command for each in finding.remedies[:2]] == ["kill 77", "docker stop other"]
    assert finding.remedies[0].fix == "end-orphan"


def test_on_a_host_that_was_looked_at_one_does_not_ask_again() -> None:
    [finding] = CHECK.look(replace(of_log(H100), engines=()))
    assert "sparkwell doctor" not in commands(finding)
    assert "sparkwell doctor" in commands(asked(CHECK, H100)[0])


@pytest.mark.parametrize(
    "line",
    [
        "INFO 11-20 10:00:36 [w.py:391] Free memory on device (112.4/119.67 GiB) on startup. "
        "Desired GPU memory utilization is (0.9, 107.7 GiB). Actual usage is 31.97 GiB for weight",
        f"Received request c-1: prompt: '{H100}'",
        H100.replace("14.52/79.18", "0/0"),
        "Free memory on device (a/b GiB) on startup is less than desired GPU memory utilization",
    ],
)
def test_what_looks_alike_is_well(line: str) -> None:
    assert asked(CHECK, line) == []


def test_the_general_text_names_it_as_the_engine_does() -> None:
    assert asked(CHECK, ABOUT.symptoms[0])
