"""CUDA out of memory, by the moment in which it came."""

from dataclasses import replace

import pytest
from tests.unit.checks.diagnosis.ask import asked, of_log

from sparkwell.checks.diagnosis.memory.cuda_oom import CHECK
from sparkwell.checks.host_parts import Engine
from sparkwell.core.findings import Finding, Severity
from sparkwell.core.units import GIB

OOM = (
    "(EngineCore pid=7) torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.50 GiB. GPU"
    " 0 has a total capacity of 79.18 GiB of which 1.16 GiB is free."
)
ARGS = "INFO 11-20 10:00:01 [u.py:1] non-default args: {'gpu_memory_utilization': 0.95}\n"
TRACE = '(EngineCore pid=7) Traceback (most recent call last):\n  File "a.py", line 1, in '
LOADED = "INFO 11-20 10:00:10 [m.py:1] Model loading took 31.97 GiB memory and 204.5 seconds\n"


def commands(finding: Finding) -> str:
    return " | ".join(each.command or "" for each in finding.remedies)


@pytest.mark.parametrize(
    ("frame", "title", "command"),
    [
        ("init_device", "before anything was loaded", "drop_caches"),
        ("load_model", "while weights were loaded", "sparkwell recommend --need"),
        ("determine_available_memory", "measured its memory", "max_num_batched_tokens=2048"),
        ("initialize_kv_cache", "while the KV cache was laid out", "gpu_memory_utilization=0.90"),
        ("capture_model", "while CUDA graphs were captured", "max_num_seqs=32"),
        ("wake_up", "while a sleeping engine woke up", "gpu_memory_utilization=0.90"),
        ("execute_model", "while requests were served", "gpu_memory_utilization=0.90"),
    ],
)
def test_the_traceback_says_when_and_the_remedy_follows(
    frame: str, title: str, command: str
) -> None:
    [finding] = asked(CHECK, f"{ARGS}{TRACE}{frame}\n    call()\n{OOM}")
    assert (finding.id, finding.severity) == ("cuda-oom", Severity.ERROR)
    assert title in finding.title
    assert command in commands(finding)


def test_on_a_spark_the_share_goes_down_to_what_leaves_the_system_enough() -> None:
    spark = OOM.replace("79.18", "119.67")
    assert spark != OOM
    [finding] = asked(CHECK, f"{ARGS}{TRACE}execute_model\n    call()\n{spark}")
    assert "gpu_memory_utilization=0.85" in commands(finding)


@pytest.mark.parametrize(
    ("before", "title"),
    [
        ("INFO 11-20 10:00:07 [g.py:1] Starting to load model Qwen/Qwen3-8B...\n", "weights"),
        (LOADED + "INFO 11-20 10:00:14 [m.py:1] torch.compile takes 17.02 s in total\n", "measur"),
        ("INFO:     Application startup complete.\n", "requests were served"),
        ("", "The GPU's memory ran out"),
    ],
)
def test_without_a_traceback_the_last_phase_says_when(before: str, title: str) -> None:
    [finding] = asked(CHECK, before + OOM)
    assert title in finding.title


def test_the_sampler_is_told_by_its_own_words() -> None:
    line = "RuntimeError: CUDA out of memory occurred when warming up sampler with 1024 dummy"
    [finding] = asked(CHECK, f"{TRACE}capture_model\n{OOM}\n{line}")
    assert "warm-up" in finding.title
    assert "max_num_seqs" in commands(finding)


@pytest.mark.parametrize(
    "line",
    [
        "torch.AcceleratorError: CUDA error: out of memory",
        "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "RuntimeError: CUDA Error: out of memory at /workspace/csrc/cumem_allocator.cpp:62",
        "RuntimeError: NVML_SUCCESS == r INTERNAL ASSERT FAILED at "
        '"/pytorch/c10/cuda/CUDACachingAllocator.cpp":1016, please report a bug to PyTorch.',
        "NVRM: Check failed: Out of memory [NV_ERR_NO_MEMORY] (0x00000051) returned from x",
        "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 3.50 GiB.",
        'level=INFO msg="Load failed" error="llama runner process has terminated: cudaMalloc '
        'failed: out of memory"',
    ],
)
def test_other_wordings(line: str) -> None:
    assert [each.id for each in asked(CHECK, line)] == ["cuda-oom"]


@pytest.mark.parametrize(
    ("args", "command"),
    [("'max_num_seqs': 1024", "max_num_seqs=32"), ("'max_num_seqs': 16", "max_num_seqs=8")],
)
def test_what_is_proposed_is_less_than_what_was_in_force(args: str, command: str) -> None:
    line = f"INFO 11-20 10:00:01 [u.py:1] non-default args: {{{args}}}\n"
    [finding] = asked(CHECK, f"{line}{TRACE}capture_model\n    call()\n{OOM}")
    assert command in commands(finding)


def test_who_holds_the_memory_is_named() -> None:
    other = Engine("llama.cpp", pid=4, memory_bytes=76 * GIB)
    [finding] = CHECK.look(replace(of_log(OOM), engines=(other,)))
    assert "76.0 GiB" in finding.evidence[1]
    assert finding.remedies[0].command == "kill 4"


@pytest.mark.parametrize(
    "text",
    [
        f"WARNING 11-20 10:00:26 [a.py:4] [Autotuner]: OOM detected, falling back: {OOM[20:]}",
        "E1121 10:00:00 Runtime error during autotuning:\nCUDA out of memory.\n"
        "Ignoring this choice.",
        f"Received request c-1: prompt: '{OOM}'",
        "ggml_cuda_host_malloc: failed to allocate 16607.35 MiB of pinned memory: out of memory",
        "    except torch.cuda.OutOfMemoryError:",
        "ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory.",
    ],
)
def test_what_somebody_tries_and_gives_up_is_well(text: str) -> None:
    assert asked(CHECK, text) == []
