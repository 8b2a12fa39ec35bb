"""Ollama: contexts without room, models that are not on the GPU."""

from dataclasses import replace

import pytest
from tests.unit.checks.diagnosis.ask import asked, of_log
from tests.unit.checks.hosts import SPARK

from sparkwell.checks.diagnosis.memory.ollama_context import CHECK as CONTEXT
from sparkwell.checks.diagnosis.memory.ollama_gpu import CHECK as GPU
from sparkwell.checks.host_parts import Engine
from sparkwell.checks.run_parts import Run
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Severity
from sparkwell.core.units import GIB
from sparkwell.engines.ollama import log as ours
from sparkwell.engines.ollama.answers import Loaded

T = "time=2026-03-21T23:22:17.156Z level=INFO source=x.go:1 msg="
NO_ROOM = "model requires more system memory (81.3 GiB) than is available (60.2 GiB)"
CUT = T + '"requested context size too large for model" num_ctx=262144 n_ctx_train=40960'
FOUND = T + '"inference compute" id=GPU-1d3c library=CUDA compute=12.1 name=CUDA0'


def test_a_context_without_room_is_halved_at_least() -> None:
    fit = T + 'load request="{Operation:fit Parallel:1 BatchSize:512 KvSize:262144 NumThreads:20}"'
    [finding] = asked(CONTEXT, f'{fit}\n{T}"Load failed" error="{NO_ROOM}"')
    assert (finding.id, finding.severity) == ("ollama-context-too-large", Severity.ERROR)
    assert finding.remedies[0].command == "sparkwell up MODEL --set num_ctx=32768"
    assert "not 262,144" in finding.remedies[0].text
    assert "KvSize:262144" in finding.evidence[0]


@pytest.mark.parametrize(("context", "less"), [(16384, 8192), (3000, 2048), (262144, 32768)])
def test_how_much_less(context: int, less: int) -> None:
    text = f"{ours.loading('qwen3:32b', context)}\n{ours.failed(NO_ROOM)}"
    [finding] = asked(CONTEXT, text)
    assert (finding.remedies[0].command or "").endswith(f"num_ctx={less}")


def test_a_context_that_ollama_cut_is_worth_knowing() -> None:
    [finding] = asked(CONTEXT, CUT)
    assert finding.severity is Severity.INFO
    assert "40,960 tokens; 262,144" in finding.title


def test_a_run_tells_it_without_a_log() -> None:
    error = f"Ollama failed at loading qwen3:32b: there is not enough memory ({NO_ROOM})."
    run = Run("r", "ollama/qwen3:32b", "failed", "ollama", error=error, flags={"num_ctx": 65536})
    [finding] = CONTEXT.look(Snapshot(0.0, "test", runs=(run,)))
    assert finding.about == "ollama/qwen3:32b"
    assert "num_ctx=65536" in finding.evidence
    assert list(CONTEXT.look(Snapshot(0.0, "test", runs=(replace(run, error=None),)))) == []


def test_layers_that_stay_on_the_cpu() -> None:
    [finding] = asked(GPU, f"{FOUND}\nllm_load_tensors: offloaded 20/49 layers to GPU")
    assert (finding.id, finding.severity) == ("ollama-not-on-gpu", Severity.WARNING)
    assert finding.title == "Ollama put 20 of 49 layers on the GPU"


@pytest.mark.parametrize(("vram", "told"), [(0, True), (50, True), (100, False)])
def test_our_own_log_of_a_model(vram: int, told: bool) -> None:
    state = Loaded("qwen3:32b", 100 * GIB, vram * GIB, 4096, expires_at=None)
    found = asked(GPU, ours.loaded("qwen3:32b", 30.0, state))
    assert len(found) == told
    assert all(f"{vram}% of the model" in each.title for each in found)


def test_earlier_tries_do_not_count() -> None:
    tries = 'msg="offloaded 40/41 layers to GPU"\nmsg="offloaded 41/41 layers to GPU"'
    assert asked(GPU, tries) == []


def test_no_gpu_at_all_is_said_in_those_words() -> None:
    none = T + '"no compatible GPUs were discovered"'
    [finding] = asked(GPU, f'{none}\n{T}"offloaded 0/37 layers to GPU"')
    assert finding.title == "Ollama runs the model on the CPU: it found no GPU"
    assert "nvidia-smi" in (finding.remedies[0].command or "")
    assert [each.title for each in asked(GPU, none)] == ["Ollama found no GPU"]
    assert asked(GPU, f"{none}\n{FOUND}") == []


def test_a_machine_without_a_gpu_is_well() -> None:
    snapshot = of_log("offloaded 0/25 layers to GPU")
    assert list(GPU.look(replace(snapshot, machine=replace(SPARK, device="cpu")))) == []
    assert list(GPU.look(replace(snapshot, machine=SPARK))) != []


def test_memory_that_did_not_come_back_is_evidence_not_a_finding() -> None:
    late = T + '"gpu VRAM usage didn\'t recover within timeout" seconds=5.0'
    assert asked(GPU, f"{late}\noffloaded 49/49 layers to GPU") == []
    [finding] = asked(GPU, f"{late}\noffloaded 20/49 layers to GPU")
    assert "recover" in finding.evidence[0]


def test_who_takes_the_room_is_named() -> None:
    other = Engine("vllm", pid=9, container="v", memory_bytes=60 * GIB)
    snapshot = replace(of_log("offloaded 20/49 layers to GPU"), engines=(other,))
    [finding] = GPU.look(snapshot)
    assert finding.remedies[1].command == "docker stop v"
