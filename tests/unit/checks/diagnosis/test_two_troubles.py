"""Logs with more than one trouble, and lines that were made to be slow to read."""

import time

import pytest
from tests.unit.checks.diagnosis.ask import of_log

from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis import downloads, flags, platform
from sparkwell.checks.diagnosis.judge import judge
from sparkwell.checks.logs.parts import LogDigest, LogLine
from sparkwell.checks.snapshot import Snapshot

CAPABILITY = "Found GPU0 NVIDIA GB10 which is of cuda capability 12.1.\n"
FULL = "OSError: [Errno 28] No space left on device\n"
KERNEL = "(EngineCore pid=7) RuntimeError: CUDA error: no kernel image is available for execution\n"
ECHO = "(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above.\n"
SLOW = (
    "1" * 2000,
    " " * 2000,
    "a.b.c.d." * 250,
    "nvmlDeviceGetMemoryInfo" * 85,
    "NVML " * 400,
    "| " * 1000,
    "error: argument -" + "a" * 1980,
    "huggingface.co/a/b" + "." * 1980,
    "huggingface.co " * 130,
    "non-default args: 'quantization': '" * 55,
    "Failed to open: " + "sm_121" * 330,
    "Initializing a V1 LLM engine (v" * 64,
)


def _ids(text: str) -> list[str]:
    return sorted(each.id for each in judge(of_log(text)))


def test_two_troubles_are_two_findings() -> None:
    assert _ids(CAPABILITY + FULL) == ["capability-warning", "disk-full"]


def test_one_trouble_that_every_process_prints_is_one_finding() -> None:
    assert _ids(KERNEL + KERNEL.replace("EngineCore", "Worker") + ECHO) == ["sm121-unsupported"]


@pytest.mark.parametrize(
    "check",
    [*platform.CHECKS, *flags.CHECKS, *downloads.CHECKS],
    ids=lambda check: check.id,
)
def test_no_line_is_slow_to_read(check: Check) -> None:
    lines = tuple(LogLine(at, text) for at, text in enumerate(SLOW * 3, 1))
    began_s = time.process_time()
    list(check.look(Snapshot(0.0, "test", logs=(LogDigest("slow.log", lines),))))
    assert time.process_time() - began_s < 1.0
