"""NVML without memory."""

from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.platform.nvml_no_memory import CHECK
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Severity
from sparkwell.core.units import GIB
from sparkwell.hardware.facts import GpuFacts, NvmlFacts


def _host(total_bytes: int | None) -> Snapshot:
    gpu = GpuFacts("NVIDIA GB10", (12, 1), total_bytes)
    return Snapshot(0.0, "test", gpu=NvmlFacts("580.95.05", "13.0", (gpu,)))


def test_a_gpu_without_a_size_is_information() -> None:
    [finding] = CHECK.look(_host(None))
    assert (finding.severity, finding.about) == (Severity.INFO, None)
    assert "NVIDIA GB10" in finding.evidence[0]


def test_a_gpu_with_a_size_and_a_host_without_one_are_well() -> None:
    assert list(CHECK.look(_host(80 * GIB))) == []
    assert list(CHECK.look(Snapshot(0.0, "test", gpu=NvmlFacts(problem="no driver")))) == []


def test_the_error_and_the_table_are_understood() -> None:
    assert asked(CHECK, "vllm.third_party.pynvml.NVMLError_NotSupported: Not Supported")
    assert asked(
        CHECK, "| N/A   36C    P8    3W /  N/A  | Not Supported   |      0%      Default |"
    )


def test_other_things_that_are_not_supported_are_not_meant() -> None:
    assert (
        asked(CHECK, "INFO 11-03 09:14:05 [x.py:1] FlashInfer: Not Supported on this device") == []
    )
