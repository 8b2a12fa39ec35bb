"""Every section of the guides about troubles leads to its finding by itself.

The logs here are written after the wordings of the engines' sources, not copied from anybody.
"""

from textwrap import dedent

import pytest

from sparkwell.catalog.guide_claims import load_guides
from sparkwell.checks.diagnosis.cures import Section, cures
from sparkwell.checks.diagnosis.judge import judge
from sparkwell.checks.diagnosis.known import known
from sparkwell.checks.logs.digest import digest
from sparkwell.checks.run_parts import Run
from sparkwell.checks.serving_parts import Planned, Serving, Window
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Severity

NOW = 1_760_000_000.0
ABOUT_TROUBLES = "Troubleshooting"
HOST = "host-and-services"


def of_log(text: str) -> Snapshot:
    lines = dedent(text).strip("\n").splitlines()
    return Snapshot(NOW, "test", logs=(digest(lines, "engine.log"),))


def of_serving(model: str, window: Window, planned: Planned | None = None) -> Snapshot:
    flags = {"max_num_seqs": 64, "gpu_memory_utilization": 0.8}
    serving = Serving(model, window, flags=flags, planned=planned or Planned())
    return Snapshot(NOW, "test", serving=(serving,))


def refused(version: str, where: str, free: str, share: str) -> Snapshot:
    prefix = "(EngineCore_DP0 pid=71) ERROR 11-07 10:01:02 [core.py:700]"
    return of_log(f"""
        INFO 11-07 10:00:40 [api_server.py:1896] vLLM API server version {version}
        {prefix} EngineCore failed to start.
        {prefix} Traceback (most recent call last):
        {prefix} ValueError: Free memory on device{where} ({free}/119.67 GiB) on startup is less than desired GPU memory utilization ({share}). Decrease GPU memory utilization or reduce GPU memory used by other processes.
        (APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {{}}
    """)  # noqa: E501


def on_the_fly(version: str) -> Snapshot:
    return of_log(f"""
        (APIServer pid=1) INFO 11-07 10:00:40 [api_server.py:1896] vLLM API server version {version}
        (APIServer pid=1) INFO 11-07 10:00:41 [utils.py:328] non-default args: {{'model': 'Qwen/Qwen3-32B', 'quantization': 'fp8'}}
        (EngineCore_DP0 pid=71) ERROR 11-07 10:04:02 [core.py:700]   File "/usr/local/lib/python3.12/dist-packages/vllm/_custom_ops.py", line 700, in cutlass_scaled_mm
        (EngineCore_DP0 pid=71) ERROR 11-07 10:04:02 [core.py:700]     torch.ops._C.cutlass_scaled_mm(out, a, b, scale_a, scale_b, bias)
        (EngineCore_DP0 pid=71) ERROR 11-07 10:04:02 [core.py:700] RuntimeError: Error Internal
    """)  # noqa: E501


CUT_SHORT = of_log("""
    (EngineCore_DP0 pid=71) INFO 11-07 10:01:02 [gpu_model_runner.py:2338] Starting to load model Qwen/Qwen3-32B...
    (EngineCore_DP0 pid=71) Loading safetensors checkpoint shards:  41% Completed | 7/17 [01:29<01:58, 11.80s/it]
    (EngineCore_DP0 pid=71) ERROR 11-07 10:02:40 [core.py:700] safetensors_rust.SafetensorError: Error while deserializing header: incomplete metadata, file not fully covered
""")  # noqa: E501
HANGS = Snapshot(
    NOW,
    "test",
    runs=(
        Run("qwen3-8b-fp8-1", "qwen3-8b-fp8", "starting", started_at=NOW - 4000, phase="weights",
            phase_since=NOW - 3600, phase_longest_s=120.0,
            last_line="Loading safetensors checkpoint shards:  50% Completed | 1/2"),
    ),
)  # fmt: skip
CAPABILITY = of_log("""
    /usr/local/lib/python3.12/dist-packages/torch/cuda/__init__.py:283: UserWarning:
        Found GPU0 NVIDIA GB10 which is of cuda capability 12.1.
        Minimum and Maximum cuda capability supported by this version of PyTorch is
        (8.0) - (12.0)
""")
OUT_OF_MEMORY = of_log("""
    (EngineCore_DP0 pid=71) INFO 11-07 10:01:02 [gpu_model_runner.py:2338] Starting to load model Qwen/Qwen3-30B-A3B-Instruct-2507-FP8...
    (EngineCore_DP0 pid=71) ERROR 11-07 10:01:42 [core.py:700] torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 96.00 MiB. GPU 0 has a total capacity of 119.67 GiB of which 41.00 MiB is free.
""")  # noqa: E501
TOO_LONG = of_log("""
    (EngineCore_DP0 pid=71) INFO 11-07 10:01:02 [gpu_worker.py:298] Available KV cache memory: 15.10 GiB
    (EngineCore_DP0 pid=71) ERROR 11-07 10:01:42 [core.py:700] ValueError: To serve at least one request with the models's max seq len (65536), (20.00 GiB KV cache is needed, which is larger than the available KV cache memory (15.10 GiB). Based on the available memory, the estimated maximum model length is 49472. Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine.
""")  # noqa: E501
WHILE_SERVING = of_log("""
    (APIServer pid=1) INFO 11-07 10:05:02 [loggers.py:123] Engine 000: Avg prompt throughput: 900.1 tokens/s, Avg generation throughput: 5.1 tokens/s, Running: 3 reqs, Waiting: 0 reqs, GPU KV cache usage: 91.1%, Prefix cache hit rate: 0.0%
    (EngineCore_DP0 pid=71) ERROR 11-07 10:05:42 [core.py:710] EngineCore encountered a fatal error.
    (EngineCore_DP0 pid=71) ERROR 11-07 10:05:42 [core.py:710] torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.10 GiB. GPU 0 has a total capacity of 119.67 GiB of which 1.10 GiB is free.
""")  # noqa: E501
NO_MEMORY_SHOWN = of_log("""
    | NVIDIA-SMI 580.95.05              Driver Version: 580.95.05      CUDA Version: 13.0     |
    |   0  NVIDIA GB10                    On  |   0000000F:01:00.0 Off |                  N/A |
    | N/A   36C    P8              3W /  N/A  | Not Supported          |      0%      Default |
""")
PORT_TAKEN = of_log("""
    (APIServer pid=1) INFO 11-07 10:00:40 [api_server.py:1896] vLLM API server version 0.10.1.1
    OSError: [Errno 98] Address already in use
""")
PORT_ALLOCATED = of_log("""
    Error response from daemon: driver failed programming external connectivity on endpoint vllm-llama33-70b-fp8 (1f2e): Bind for 0.0.0.0:8000 failed: port is already allocated
""")  # noqa: E501

LONE = Window(60, 120.0, busy=1.0, running=1.0, running_max=1.0, waiting=0.0, requests=40.0,
              single_tokens_per_s=3.0, output_tokens_per_s=3.0)  # fmt: skip
WAITING = Window(60, 120.0, busy=1.0, running=64.0, running_max=64.0, waiting=30.0, requests=90.0,
                 kv_used_mean=0.5, kv_used_max=0.6, ttft_p95_s=3.4)  # fmt: skip

TABLE = {
    ("qwen3-32b", 273): (refused("0.10.1.1", "", "61.20", "0.9, 107.71 GiB"),
                         "memory-startup-check"),
    ("qwen3-32b", 286): (on_the_fly("0.10.1.1"), "fp8-cutlass"),
    ("qwen3-32b", 299): (CUT_SHORT, "download-incomplete"),
    ("qwen3-32b", 316): (CAPABILITY, "capability-warning"),
    ("qwen3-8b-fp8", 390): (refused("0.24.0", " cuda:0", "80.02", "0.85, 101.72 GiB"),
                            "memory-startup-check"),
    ("qwen3-8b-fp8", 403): (on_the_fly("0.11.0"), "fp8-cutlass"),
    ("qwen3-8b-fp8", 416): (HANGS, "load-stalled"),
    ("qwen3-8b-fp8", 433): (CAPABILITY, "capability-warning"),
    ("qwen3-8b-fp8", 443): (of_serving("qwen3-8b-fp8", LONE), "low-batching"),
    ("qwen3-30b-a3b-fp8", 514): (OUT_OF_MEMORY, "cuda-oom"),
    ("qwen3-30b-a3b-fp8", 535): (
        of_serving("qwen3-30b-a3b-fp8", LONE, Planned(single_tokens_per_s=42.0)),
        "slow-single-stream"),
    ("qwen3-30b-a3b-fp8", 554): (of_serving("qwen3-30b-a3b-fp8", WAITING), "ttft-high"),
    ("qwen3-30b-a3b-fp8", 574): (PORT_TAKEN, "port-in-use"),
    ("llama33-70b-fp8", 606): (TOO_LONG, "kv-cache-too-small"),
    ("llama33-70b-fp8", 632): (
        of_serving("llama33-70b-fp8", LONE, Planned(single_tokens_per_s=2.8)),
        "slow-single-stream"),
    ("llama33-70b-fp8", 653): (of_serving("llama33-70b-fp8", WAITING), "ttft-high"),
    ("llama33-70b-fp8", 674): (WHILE_SERVING, "cuda-oom"),
    ("llama33-70b-fp8", 695): (PORT_ALLOCATED, "port-in-use"),
    (HOST, 255): (NO_MEMORY_SHOWN, "nvml-no-memory"),
    (HOST, 266): (OUT_OF_MEMORY, "cuda-oom"),
    (HOST, 267): (of_serving("qwen3-32b", LONE), "low-batching"),
    (HOST, 268): (of_serving("qwen3-32b", WAITING), "ttft-high"),
}  # fmt: skip


@pytest.mark.parametrize("section", cures().sections, ids=lambda each: f"{each.guide}-{each.line}")
def test_a_section_leads_to_its_finding(section: Section) -> None:
    snapshot, expected = TABLE[section.guide, section.line]
    found = {each.id for each in judge(snapshot) if each.severity is not Severity.OK}
    assert expected in found
    assert expected in section.findings


def test_what_the_70b_gives_on_a_spark_is_no_trouble() -> None:
    """The guide calls fewer than 4 tokens/s slow; the memory's bandwidth allows 3.9."""
    snapshot, expected = TABLE["llama33-70b-fp8", 632]
    found = [each.severity for each in judge(snapshot) if each.id == expected]
    assert found == [Severity.INFO]


def test_every_section_about_troubles_is_there() -> None:
    """By the guides' headings; those of the host's guide are points of a list, below one."""
    headings = set()
    for guide in load_guides():
        inside = False
        for section in guide.sections:
            if section.level == 2:
                inside = section.title == ABOUT_TROUBLES
            elif inside:
                headings.add((guide.document, section.line, section.title))
    described = {(f"{each.guide}.md", each.line, each.title) for each in cures().sections}
    assert {each for each in described if not each[0].startswith(HOST)} == headings
    assert len(described) - len(headings) == 4


def test_each_command_of_such_a_section_belongs_to_a_cure() -> None:
    """It stands in the cure's line, or a few below it: no cure was passed over."""
    guides = {guide.document: guide for guide in load_guides()}
    for section in cures().sections:
        guide = guides[f"{section.guide}.md"]
        end = min((each.line for each in guide.sections if each.line > section.line),
                  default=guide.line_count)  # fmt: skip
        for command in (each for each in guide.commands if section.line < each.line < end):
            near = [each for each in section.cures if 0 <= command.line - each.line <= 5]
            assert near, f"{section.guide}, line {command.line}: {command.command}"


def test_findings_are_checks_that_there_are() -> None:
    ids = {each.id for each in known()}
    assert {each for section in cures().sections for each in section.findings} <= ids


@pytest.mark.parametrize(
    ("cure", "verdict", "because"),
    [
        ("shorter-context-at-start", "no effect", "does not look at the length"),
        ("system-prune", "harmful", "frees disk, not memory"),
        ("remove-incomplete", "no effect", "in blobs/"),
        ("check-token-qwen", "not needed", "not gated"),
        ("lower-share", "cures", "free / total"),
        ("look-at-gpu-use", "only looks", "not shown on a GB10"),
    ],
)
def test_what_the_facts_say_of_a_cure(cure: str, verdict: str, because: str) -> None:
    found = cures().cures[cure]
    assert found.verdict == verdict
    assert because in found.why
