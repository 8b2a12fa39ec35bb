"""Shared memory that is too small."""

import pytest
from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.memory.shm import CHECK
from sparkwell.core.findings import Severity

NCCL = "v:168:168 [0] misc/shmutils.cc:113 NCCL WARN "


@pytest.mark.parametrize(
    "line",
    [
        "RuntimeError: unable to mmap 67108864 bytes from file </torch_301_20_0>: Cannot allocate "
        "memory (12)",
        "RuntimeError: unable to write to file </torch_1_2_0>: No space left on device (28)",
        f"{NCCL}Error while creating shared memory segment /dev/shm/nccl-UbzKZ9 (size 9637888)",
        f"{NCCL}Error: failed to extend /dev/shm/nccl-UbzKZ9 to 9637892 bytes",
        "OSError: [Errno 28] No space left on device: '/dev/shm/vllm_offload_1.mmap'",
        "OSError: [Errno 28] No space left on device: '/psm_1c2d3e4f'",
        "RuntimeError: Insufficient space in /dev/shm for shared-memory allocation: 160 MiB "
        "required, 0 MiB free. Increase /dev/shm (e.g. --shm-size or --ipc=host).",
        "Fatal Python error: Bus error",
        "Bus error (core dumped)",
        "(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above. "
        "Failed core proc(s): {'EngineCore': -7}",
    ],
)
def test_it_is_found(line: str) -> None:
    [finding] = asked(CHECK, line)
    assert (finding.id, finding.severity) == ("shm-too-small", Severity.ERROR)
    assert "prune" not in str(finding)


@pytest.mark.parametrize(
    "line",
    [
        "OSError: [Errno 28] No space left on device: '/root/.cache/huggingface/hub/blobs/1f'",
        f"{NCCL}Error while attaching to shared memory segment /dev/shm/nccl- (size 192814336), "
        "error: No such file or directory (2)",
        "RuntimeError: unable to open shared memory object </torch_1_2_0> in read-write mode: "
        "Permission denied (13)",
        "RuntimeError: Engine core initialization failed. Failed core proc(s): {'EngineCore': -9}",
        "Received request c-1: prompt: 'Bus error'",
        "INFO 11-20 10:00:00 [shm_broadcast.py:1] No available shared memory broadcast block found",
    ],
)
def test_what_looks_alike_is_well(line: str) -> None:
    assert asked(CHECK, line) == []
