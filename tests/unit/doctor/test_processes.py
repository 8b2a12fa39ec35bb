"""Engines among the processes: by their words, grouped, ours told from others'."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sparkwell.checks.host_parts import Engine
from sparkwell.doctor.docker import ContainerSeen
from sparkwell.doctor.engine_words import kind_of, model_of
from sparkwell.doctor.gpu_memory import gpu_bytes_by_process
from sparkwell.doctor.processes import ProcessSeen, container_id, forest, list_processes
from sparkwell.drivers.process.launcher import SHIM_PROGRAM

CONTAINER = "ab" * 32


@pytest.mark.parametrize(
    ("line", "kind", "model"),
    [
        ("vllm serve Qwen/Qwen3-8B --port 8000", "vllm", "Qwen/Qwen3-8B"),
        ("/usr/bin/python3 /usr/local/bin/vllm serve /models/mine", "vllm", "mine"),
        ("python -m vllm.entrypoints.openai.api_server --model a/b", "vllm", "a/b"),
        ("python3.12 -u -m vllm.entrypoints.openai.api_server --model=a/b", "vllm", "a/b"),
        ("VLLM::EngineCore", "vllm", None),
        ("ollama serve", "ollama", None),
        ("/usr/bin/ollama runner --model /root/.ollama/models/blobs/sha256-1", "ollama",
         "sha256-1"),
        ("./llama-server -m /models/qwen.gguf", "llama.cpp", "qwen.gguf"),
        ("python -m sglang.launch_server --model-path a/b", "sglang", "a/b"),
        ("sglang::scheduler", "sglang", None),
        ("trtllm-serve a/b", "tensorrt-llm", None),
        ("grep vllm serve", None, None),
        ("vim /usr/local/bin/vllm serve", None, None),
        ("vllm bench latency", None, None),
        ("docker run vllm/vllm-openai", None, None),
        ("python", None, None),
        ("python python python", None, None),
        ("ollama pull qwen3", None, None),
    ],
)  # fmt: skip
def test_command_lines(line: str, kind: str | None, model: str | None) -> None:
    words = line.split()
    assert kind_of(words) == kind
    if kind:
        assert model_of(words) == model


def seen(
    pid: int, parent: int, line: str, held: int = 10, inside: str | None = None
) -> ProcessSeen:
    return ProcessSeen(pid, parent, tuple(line.split()), held, inside)


VLLM = [
    seen(10, 1, "python /usr/bin/vllm serve a/b", 100),
    seen(11, 10, "VLLM::EngineCore", 1000),
    seen(12, 11, "python -c worker", 5),
]


def test_an_engine_counts_once_with_its_whole_tree() -> None:
    found = forest([seen(1, 0, "init"), *VLLM], gpu_bytes={11: 7000, 99: 1}).engines()
    assert found == (Engine("vllm", pid=10, model="a/b", memory_bytes=8105, orphan=False),)


def test_an_orphan_of_an_engine_is_an_engine() -> None:
    found = forest([seen(1, 0, "init"), seen(11, 1, "VLLM::EngineCore", 1000)]).engines()
    assert found == (Engine("vllm", pid=11, memory_bytes=1000, orphan=True),)


def test_an_engine_in_a_container_has_its_name() -> None:
    top = seen(10, 1, "vllm serve a/b", inside=CONTAINER)
    container = ContainerSeen(CONTAINER, "vllm-old", "vllm/vllm-openai:v0.11")
    (named,) = forest([top], [container]).engines()
    assert (named.container, named.ours) == ("vllm-old", False)
    (numbered,) = forest([top]).engines()
    assert numbered.container == CONTAINER[:12]


def test_a_container_of_ours() -> None:
    top = seen(10, 1, "vllm serve /w", inside=CONTAINER)
    container = ContainerSeen(CONTAINER, "x", "i", home="/state/containers", model="qwen3-8b-fp8")
    (engine,) = forest([top], [container], home=Path("/state")).engines()
    assert (engine.ours, engine.model) == (True, "qwen3-8b-fp8")
    (other,) = forest([top], [container], home=Path("/other")).engines()
    assert (other.ours, other.model) == (False, "w")


def test_what_a_shim_keeps_is_ours_whatever_it_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "demo-1"
    folder.mkdir()
    (folder / "launch.json").write_text(json.dumps({"spec": {"model": "demo-qwen3"}}))
    shim = seen(20, 1, f"python -I {SHIM_PROGRAM} {folder}")
    trees = [shim, seen(21, 20, "python -m something --here", 50), seen(22, 21, "VLLM::Core", 9)]
    assert forest(trees, home=tmp_path).engines() == (
        Engine("vllm", ours=True, pid=21, model="demo-qwen3", memory_bytes=59, orphan=False),
    )
    (other,) = forest(trees, home=tmp_path / "elsewhere").engines()
    assert (other.ours, other.pid) == (False, 22)


@pytest.mark.parametrize(
    ("parent", "orphan"),
    [
        ("init", True),
        ("/usr/lib/systemd/systemd --user", True),
        ("python my_own_server.py", False),  # an engine within somebody's own program
        ("python /usr/bin/vllm serve a/b", None),  # then it is no engine of its own
    ],
)
def test_a_worker_whose_server_is_gone_is_an_orphan(parent: str, orphan: bool | None) -> None:
    found = forest([seen(7, 0, parent), seen(11, 7, "VLLM::EngineCore")]).engines()
    assert [each.orphan for each in found if each.pid == 11] == ([] if orphan is None else [orphan])


def test_a_worker_whose_parent_was_not_seen_is_none() -> None:
    """It may be a server that could not be read at that moment: an orphan may be ended."""
    worker = seen(11, 7, "VLLM::EngineCore")
    assert [each.orphan for each in forest([seen(1, 0, "init"), worker]).engines()] == [False]
    assert [each.orphan for each in forest([seen(11, 1, "VLLM::EngineCore")]).engines()] == [True]


def test_a_server_without_a_parent_and_a_worker_in_a_container_are_none() -> None:
    assert [each.orphan for each in forest(VLLM).engines()] == [False]
    inside = seen(11, 1, "VLLM::EngineCore", inside=CONTAINER)
    assert [each.orphan for each in forest([seen(1, 0, "init"), inside]).engines()] == [False]


def test_ollama_holds_a_model_when_it_has_a_runner() -> None:
    server = seen(30, 1, "ollama serve")
    (idle,) = forest([server]).engines()
    assert idle.loaded is False
    (busy,) = forest([server, seen(31, 30, "ollama runner --port 1")]).engines()
    assert (busy.loaded, busy.pid) == (True, 30)


def test_parents_in_a_circle_do_no_harm() -> None:
    assert forest([seen(1, 2, "a"), seen(2, 1, "b")]).engines() == ()


def test_a_real_process_is_seen() -> None:
    script = "import time; print('up', flush=True); time.sleep(60)"
    command = ["vllm", "-c", script, "serve"]
    with subprocess.Popen(command, executable=sys.executable, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        pids = {each.pid: each for each in list_processes()}
        process.kill()
    assert pids[process.pid].words[0] == "vllm"
    assert pids[process.pid].memory_bytes > 1_000_000
    assert container_id(process.pid) is None


class FakeNvml:
    """NVML's bindings with two GPUs, one of which tells no memory."""

    class NVMLError(Exception):
        pass

    class Process:
        def __init__(self, pid: int, held: int | None) -> None:
            self.pid, self.usedGpuMemory = pid, held

    def nvmlInit(self) -> None: ...  # noqa: N802

    def nvmlShutdown(self) -> None: ...  # noqa: N802

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Process]:  # noqa: N802
        return [self.Process(7, 100), self.Process(8 + handle, None)]


def test_memory_of_the_gpu_by_process() -> None:
    assert gpu_bytes_by_process(FakeNvml) == {7: 200, 8: 0, 9: 0}


def test_no_driver_is_no_error() -> None:
    def load() -> None:
        raise OSError("no library")

    assert gpu_bytes_by_process(load) == {}
