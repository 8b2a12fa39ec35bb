"""The host's memory: in logs, of ended runs, now."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.checks.diagnosis.ask import asked, of_log
from tests.unit.checks.hosts import GOOD, SPARK, memory

from sparkwell.checks.box import BoxState
from sparkwell.checks.diagnosis.memory.host_low import CHECK
from sparkwell.checks.run_parts import MemoryReading, Run, RunEnd
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Severity
from sparkwell.core.units import GIB

OURS = "[sparkwell: the kernel ended a process of this container: out of memory]"
ENDED = Run("r1", "qwen3-8b-fp8", "failed", end=RunEnd(5.0, 137, "SIGKILL", out_of_memory=True))


def live(available_gib: float, **changes: Any) -> Snapshot:
    """A Spark with a floor of 8 GiB, and so much available."""
    machine = replace(SPARK, floor_bytes=8 * GIB)
    host = Snapshot(3600.0, "test", machine=machine, system=memory(available_gib))
    return replace(host, **changes)


@pytest.mark.parametrize(
    "line",
    [
        OURS,
        "OSError: [Errno 12] Cannot allocate memory",
        "RuntimeError: [enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't "
        "allocate memory: you tried to allocate 1244659712 bytes. Error code 12 (Cannot allocate "
        "memory)",
        "RuntimeError: unable to mmap 49907246508 bytes from file </models/a.safetensors>: Cannot "
        "allocate memory (12)",
        "[ 812.1] Out of memory: Killed process 4711 (VLLM::EngineCor) total-vm:1kB",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory.",
    ],
)
def test_a_log_says_it(line: str) -> None:
    [finding] = asked(CHECK, line)
    assert (finding.id, finding.severity) == ("host-memory-low", Severity.ERROR)


@pytest.mark.parametrize(
    "line",
    [
        "warning: failed to mlock 1234-byte buffer (after previously locking 0 bytes): Cannot "
        "allocate memory",
        "RuntimeError: unable to mmap 67108864 bytes from file </torch_301_2_0>: Cannot allocate "
        "memory (12)",
        f"the log said {OURS}",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.50 GiB.",
    ],
)
def test_what_looks_alike_is_well(line: str) -> None:
    assert asked(CHECK, line) == []


@pytest.mark.parametrize("line", ["Killed", "./serve.sh: line 3:  4711 Killed  vllm serve x"])
def test_a_shell_that_says_killed_does_not_say_by_whom(line: str) -> None:
    [finding] = asked(CHECK, f"Loading safetensors checkpoint shards:\n{line}")
    assert (finding.severity, "by hand" in finding.title) == (Severity.WARNING, True)
    assert asked(CHECK, "INFO 11-20 10:00:00 [x.py:1] Killed 3 idle connections") == []


def test_a_smaller_share_is_smaller_than_the_one_in_force() -> None:
    args = "INFO 11-20 10:00:01 [u.py:1] non-default args: {'gpu_memory_utilization': 0.75}\n"
    [finding] = asked(CHECK, args + OURS)
    assert "gpu_memory_utilization=0.65" in (finding.remedies[2].command or "")


def test_a_run_that_the_kernel_ended() -> None:
    [finding] = CHECK.look(Snapshot(0.0, "test", runs=(ENDED,)))
    assert finding.about == "qwen3-8b-fp8"
    assert "run r1" in finding.evidence[0]
    assert "--set gpu_memory_utilization=0.70" in (finding.remedies[2].command or "")


def test_a_run_and_its_log_are_told_once() -> None:
    log = replace(of_log(OURS).logs[0], instance="r1", model="qwen3-8b-fp8")  # type: ignore[index]
    assert len(list(CHECK.look(Snapshot(0.0, "test", runs=(ENDED,), logs=(log,))))) == 1


def test_a_run_that_somebody_ended_is_well() -> None:
    ends = (RunEnd(5.0, 137, "SIGKILL"), RunEnd(5.0, asked=True, out_of_memory=True), None)
    runs = tuple(replace(ENDED, end=end) for end in ends)
    assert list(CHECK.look(Snapshot(0.0, "test", runs=runs))) == []


@pytest.mark.parametrize(
    ("available_gib", "severity"),
    [(7.9, Severity.ERROR), (9.9, Severity.WARNING), (10.1, None), (112.0, None)],
)
def test_now_against_the_floor(available_gib: float, severity: Severity | None) -> None:
    found = [each.severity for each in CHECK.look(live(available_gib))]
    assert found == ([severity] if severity else [])


def test_the_newest_reading_counts_and_the_lowest_is_told() -> None:
    readings = tuple(MemoryReading(at, gib * GIB) for at, gib in ((600, 2), (3000, 5), (3590, 6)))
    [finding] = CHECK.look(live(112, memory=readings))
    assert "6.0 GiB available" in finding.evidence[0]
    assert finding.evidence[1] == "lowest of the last hour: 2.0 GiB, 50 minutes ago"


def test_a_lowest_point_that_is_now_is_not_told_twice() -> None:
    readings = tuple(MemoryReading(at, gib * GIB) for at, gib in ((600, 7), (3590, 6)))
    [finding] = CHECK.look(live(112, memory=readings))
    assert len(finding.evidence) == 1


def test_processes_that_wait_for_memory() -> None:
    waiting = MemoryReading(3590.0, 112 * GIB, pressure=0.25)
    [finding] = CHECK.look(live(112, memory=(waiting,)))
    assert (finding.severity, "25%" in finding.title) == (Severity.WARNING, True)
    assert list(CHECK.look(live(112, memory=(replace(waiting, pressure=0.05),)))) == []


def test_what_the_box_says_already_is_not_said_again() -> None:
    box = BoxState(available_bytes=5 * GIB, floor_bytes=8 * GIB)
    assert list(CHECK.look(live(5, box=box))) == []
    assert list(CHECK.look(live(5, box=replace(box, floor_bytes=None)))) != []


def test_before_a_start_the_plan_is_what_counts() -> None:
    assert list(CHECK.look(replace(GOOD, system=memory(1)))) == []


def test_without_a_floor_nothing_is_said() -> None:
    machine = replace(SPARK, floor_bytes=0)
    assert list(CHECK.look(live(1, machine=machine))) == []
    assert list(CHECK.look(live(1, machine=None))) == []
