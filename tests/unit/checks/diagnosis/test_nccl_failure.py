"""NCCL."""

import pytest
from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.platform.nccl_failure import CHECK

ERROR = "(Worker_TP1 pid=9) RuntimeError: NCCL error: unhandled system error (run with NCCL_DEBUG"
WHY = "spark-02:410:410 [0] misc/socket.cc:484 NCCL WARN socketStartConnect: Connect failed"


def test_its_own_first_warning_comes_first() -> None:
    [finding] = asked(CHECK, f"{WHY}\nspark-02:410 [0] NCCL WARN later\n{ERROR}\n{ERROR}")
    assert "socketStartConnect" in finding.evidence[0]
    assert "unhandled system error" in finding.evidence[1]


@pytest.mark.parametrize(
    "line",
    [
        "torch.distributed.DistBackendError: NCCL error in: /pytorch/NCCLUtils.cpp:94, remote",
        "DistNetworkError: The client socket has timed out after 600000ms while trying to connect",
        "ncclRemoteError: A call failed possibly due to a network error",
        "[rank0]:[E402] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=1) ran for",
    ],
)
def test_each_way_to_say_it(line: str) -> None:
    assert asked(CHECK, line)


def test_shared_memory_that_is_too_small_is_another_trouble() -> None:
    why = "h:1:1 [0] NCCL WARN Error while creating shared memory segment /dev/shm/nccl-x (size 9)"
    assert asked(CHECK, f"{why}\n{ERROR}") == []


@pytest.mark.parametrize(
    "line",
    [
        "INFO 11-03 09:14:05 [pynccl.py:63] vLLM is using nccl==2.27.3",
        "[rank0]:[W1121 ProcessGroupNCCL.cpp:1575] Warning: destroy_process_group() was not called",
        "INFO 11-21 [parallel_state.py:1607] world_size=1 rank=0 local_rank=0 backend=nccl",
    ],
)
def test_lines_of_every_start_are_well(line: str) -> None:
    assert asked(CHECK, line) == []
