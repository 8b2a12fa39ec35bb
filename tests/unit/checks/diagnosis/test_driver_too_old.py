"""Drivers that do not run the engine's CUDA."""

import pytest
from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.platform.driver_too_old import CHECK
from sparkwell.checks.run_parts import Run
from sparkwell.checks.snapshot import Snapshot


@pytest.mark.parametrize(
    "line",
    [
        "RuntimeError: CUDA driver version is insufficient for CUDA runtime version",
        "torch.AcceleratorError: the provided PTX was compiled with an unsupported toolchain.",
        "RuntimeError: The NVIDIA driver on your system is too old. Please update",
    ],
)
def test_a_driver_that_is_too_old(line: str) -> None:
    [finding] = asked(CHECK, line)
    assert finding.title == "The NVIDIA driver is older than the engine's CUDA"
    assert "nvidia-driver-580-open" in (finding.remedies[0].command or "")


def test_the_version_found_is_said_as_people_write_it() -> None:
    line = "The NVIDIA driver on your system is too old (found version 12080). Please update"
    [finding] = asked(CHECK, line)
    assert finding.title.endswith(", it runs CUDA 12.8")


def test_mixed_libraries_are_told_apart() -> None:
    line = "Error 803: system has unsupported display driver / cuda driver combination"
    [finding] = asked(CHECK, line)
    assert "do not fit together" in finding.title
    assert "LD_LIBRARY_PATH" in finding.remedies[1].text


def test_other_cuda_errors_are_not_the_drivers_age() -> None:
    assert asked(CHECK, "torch.AcceleratorError: CUDA error: an illegal memory access") == []


def test_docker_says_it_to_the_run_and_not_to_a_log() -> None:
    words = (
        "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=13.0, please update "
        "your driver to a newer version, or use an earlier cuda container: unknown"
    )
    run = Run("r1", "qwen3-8b-fp8", "failed", error=words)
    [finding] = CHECK.look(Snapshot(0.0, "test", runs=(run,)))
    assert finding.title.endswith("newer NVIDIA driver: cuda>=13.0")
    assert "nvidia-driver-580-open" in (finding.remedies[0].command or "")
    assert finding.about == "qwen3-8b-fp8"
