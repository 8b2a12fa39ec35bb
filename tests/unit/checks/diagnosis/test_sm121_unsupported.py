"""Kernels that are not built for the GPU."""

from dataclasses import replace

import pytest
from tests.unit.checks.diagnosis.ask import asked, of_log

from sparkwell.checks.diagnosis.platform.sm121_unsupported import CHECK

LAUNCH = "torch.AcceleratorError: CUDA error: unspecified launch failure"
GB10 = "Found GPU0 NVIDIA GB10 which is of cuda capability 12.1.\n"


@pytest.mark.parametrize(
    "line",
    [
        "RuntimeError: CUDA error: no kernel image is available for execution on the device",
        "ptxas fatal   : Value 'sm_121a' is not defined for option 'gpu-name'",
        "nvcc fatal   : Unsupported gpu architecture 'compute_121a'",
        "This kernel only supports sm120.",
        "RuntimeError: No supported CUDA architectures found for major versions [10].",
        "Failed to open: /x/deep_gemm/impls/sm121_fp8_mqa_logits.cuh",
    ],
)
def test_each_way_to_say_it(line: str) -> None:
    [finding] = asked(CHECK, line)
    assert finding.id == "sm121-unsupported"


def test_an_image_that_is_there_is_no_kernel_image() -> None:
    assert (
        asked(CHECK, "INFO 11-03 09:14:05 [x.py:1] kernel image is available; ptxas info: 0") == []
    )


@pytest.mark.parametrize(("version", "gpu", "found"), [
    ("0.17.1", GB10, 1),
    ("0.27.1", GB10, 0),  # fails so after days of serving: another cause, vllm issue 52877
    ("0.17.1", "", 0),
    ("", GB10, 0),
])  # fmt: skip
def test_a_launch_that_fails_is_the_guard_only_on_a_gb10_before_0_22(
    version: str, gpu: str, found: int
) -> None:
    [log] = of_log(gpu + LAUNCH).logs or ()
    snapshot = replace(of_log(""), logs=(replace(log, version=version or None),))
    assert len(list(CHECK.look(snapshot))) == found


def test_both_words_of_one_failure_are_one_finding() -> None:
    [log] = of_log(f"{GB10}This kernel only supports sm120.\n{LAUNCH}").logs or ()
    snapshot = replace(of_log(""), logs=(replace(log, version="0.17.1"),))
    assert len(list(CHECK.look(snapshot))) == 1
