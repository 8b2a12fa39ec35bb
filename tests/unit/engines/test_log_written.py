"""Written, not recorded: lines after the wordings of vLLM 0.10 to 0.33 in its sources."""

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.engines.log_data import LOGS

from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.engines.vllm import read_error, read_line
from sparkwell.engines.vllm.log import StartReader
from sparkwell.engines.vllm.log_wordings import ANCHORS

API = "(APIServer pid=1) INFO 11-20 10:00:00 [api_server.py:1896] "
CORE_010 = "(EngineCore_DP0 pid=2) INFO 11-20 10:00:00 [core.py:76] "
CORE = "(EngineCore pid=2) INFO 11-20 10:00:00 [core.py:133] "
WORKER = "(Worker_TP0 pid=3) INFO 11-20 10:00:00 [worker.py:1] "

LINES: list[tuple[str, str, PhaseMark]] = [
    (
        "0.10 engine",
        CORE_010 + "Initializing a V1 LLM engine (v0.10.2) with config: model='m', seed=0",
        PhaseMark(Phase.INIT),
    ),
    ("all start", WORKER + "Starting to load model Qwen/Qwen3-8B...", PhaseMark(Phase.WEIGHTS, 0)),
    (
        "all download",
        CORE + "Time spent downloading weights for Qwen/Qwen3-8B: 62.500000 seconds",
        PhaseMark(Phase.DOWNLOAD, 1.0, (("download_s", 62.5),)),
    ),
    (
        "all shards",
        "Loading safetensors checkpoint shards:  14% Completed | 1/7 [00:29<02:58, 29.7s/it]",
        PhaseMark(Phase.WEIGHTS, 0.14),
    ),
    (
        "all shards, prefixed",
        "(Worker_TP0 pid=3) Loading safetensors checkpoint shards: 100% Completed | 7/7",
        PhaseMark(Phase.WEIGHTS, 1.0),
    ),
    (
        "eager shards",
        "Loading safetensors checkpoint shards (eager):  50% Completed | 1/2 [00:01<00:01]",
        PhaseMark(Phase.WEIGHTS, 0.5),
    ),
    (
        "other loaders",
        "Loading safetensors using Fastsafetensor loader:  25% Completed | 1/4 [00:01<00:03]",
        PhaseMark(Phase.WEIGHTS, 0.25),
    ),
    (
        "several threads",
        "Multi-thread loading shards:  29% Completed | 2/7 [00:01<00:03,  1.70it/s]",
        PhaseMark(Phase.WEIGHTS, 0.29),
    ),
    (
        "from 0.19 files read ahead",
        CORE + "Prefetching checkpoint files: 30% (3/10)",
        PhaseMark(Phase.WEIGHTS, 0.3),
    ),
    (
        "hub",
        "Fetching 12 files:  25%|##5       | 3/12 [00:41<02:03, 13.70s/it]",
        PhaseMark(Phase.DOWNLOAD, 0.25),
    ),
    ("V2 runner", WORKER + "Loading model from scratch...", PhaseMark(Phase.WEIGHTS, 0.0)),
    (
        "CPU compile",
        WORKER + "Warming up model for the compilation...",
        PhaseMark(Phase.COMPILE),
    ),
    (
        "from 0.17 kernels",
        CORE + "Selected CutlassFp8BlockScaledMMKernel for Fp8LinearMethod",
        PhaseMark(Phase.WEIGHTS),
    ),
    (
        "all weights",
        CORE + "Loading weights took 203.81 seconds",
        PhaseMark(Phase.WEIGHTS, 1.0, (("weights_s", 203.81),)),
    ),
    (
        "up to 0.11.0",
        CORE_010 + "Model loading took 31.9700 GiB and 204.123456 seconds",
        PhaseMark(Phase.WEIGHTS, 1.0, (("weights_gib", 31.97), ("load_s", 204.123456))),
    ),
    (
        "0.11.2 to 0.13",
        CORE_010 + "Model loading took 31.9700 GiB memory and 204.123456 seconds",
        PhaseMark(Phase.WEIGHTS, 1.0, (("weights_gib", 31.97), ("load_s", 204.123456))),
    ),
    (
        "from 0.17, zeros dropped",
        CORE + "Model loading took 9 GiB memory and 4.500000 seconds",
        PhaseMark(Phase.WEIGHTS, 1.0, (("weights_gib", 9.0), ("load_s", 4.5))),
    ),
    (
        "all compile",
        CORE + "Using cache directory: /c/torch_compile_cache/a/rank_0_0/backbone "
        "for vLLM's torch.compile",
        PhaseMark(Phase.COMPILE),
    ),
    ("dynamo", CORE + "Dynamo bytecode transform time: 5.31 s", PhaseMark(Phase.COMPILE)),
    (
        "up to 0.12",
        CORE_010 + "Compiling a graph for dynamic shape takes 10.04 s",
        PhaseMark(Phase.COMPILE),
    ),
    (
        "from 0.13",
        CORE + "Compiling a graph for compile range (1, 8192) takes 10.04 s",
        PhaseMark(Phase.COMPILE),
    ),
    (
        "up to 0.12, cached",
        CORE_010 + "Directly load the compiled graph(s) for dynamic shape from the cache, took 1 s",
        PhaseMark(Phase.COMPILE, None, (("compile_cache_s", 1.0),)),
    ),
    (
        "from 0.13, cached",
        CORE + "Directly load the compiled graph(s) for compile range (1, 8192) from the cache, "
        "took 1.997 s",
        PhaseMark(Phase.COMPILE, None, (("compile_cache_s", 1.997),)),
    ),
    (
        "0.33 cached, with a tag",
        CORE + "[backbone] Directly load the compiled graph(s) for compile range (1, 8192) from "
        "the cache, took 0.5 s",
        PhaseMark(Phase.COMPILE, None, (("compile_cache_s", 0.5),)),
    ),
    (
        "up to 0.17.1",
        CORE_010 + "torch.compile takes 17.02 s in total",
        PhaseMark(Phase.COMPILE, 1.0, (("compile_s", 17.02),)),
    ),
    (
        "from 0.19",
        CORE + "torch.compile took 17.02 s in total",
        PhaseMark(Phase.COMPILE, 1.0, (("compile_s", 17.02),)),
    ),
    ("0.33", CORE + "[backbone] Starting torch.compile", PhaseMark(Phase.COMPILE)),
    (
        "0.33 with a tag",
        CORE + "[backbone] torch.compile took 17.02 s in total",
        PhaseMark(Phase.COMPILE, 1.0, (("compile_s", 17.02),)),
    ),
    (
        "from 0.19 profile",
        CORE + "[backbone] Initial profiling/warmup run took 0.21 s",
        PhaseMark(Phase.PROFILE),
    ),
    (
        "from 0.18 estimate",
        CORE + "Estimated CUDA graph memory: 0.56 GiB total",
        PhaseMark(Phase.PROFILE, None, (("graphs_estimated_gib", 0.56),)),
    ),
    (
        "0.10.2 given cache",
        CORE_010 + "Initial free memory 78.66 GiB, reserved 8.00GiB memory for KV Cache as "
        "specified by kv_cache_memory_bytes config and skipped memory profiling.",
        PhaseMark(Phase.PROFILE, None, (("kv_cache_gib", 8.0),)),
    ),
    (
        "from 0.17 given cache",
        CORE + "Initial free memory 78.66 GiB, reserved 8.0 GiB memory for KV Cache as "
        "specified by kv_cache_memory_bytes config and skipped memory profiling.",
        PhaseMark(Phase.PROFILE, None, (("kv_cache_gib", 8.0),)),
    ),
    (
        "up to 0.13 memory",
        CORE_010 + "Available KV cache memory: 66.25 GiB",
        PhaseMark(Phase.PROFILE, None, (("kv_cache_gib", 66.25),)),
    ),
    (
        "from 0.17 memory, zeros dropped",
        CORE + "Available KV cache memory: 60.7 GiB",
        PhaseMark(Phase.PROFILE, None, (("kv_cache_gib", 60.7),)),
    ),
    (
        "up to 0.24 size",
        CORE + "GPU KV cache size: 271,360 tokens",
        PhaseMark(Phase.PROFILE, 1.0, (("kv_cache_tokens", 271_360),)),
    ),
    (
        "up to 0.24 concurrency",
        CORE + "Maximum concurrency for 32,000 tokens per request: 8.48x",
        PhaseMark(Phase.PROFILE, 1.0, (("max_model_len", 32_000), ("max_concurrency", 8.48))),
    ),
    (
        "from 0.28, one line",
        CORE + "GPU + host KV cache size: 271,360 tokens, "
        "Maximum concurrency for 32,000 tokens per request: 8.48x",
        PhaseMark(
            Phase.PROFILE,
            1.0,
            (("kv_cache_tokens", 271_360), ("max_model_len", 32_000), ("max_concurrency", 8.48)),
        ),
    ),
    (
        "0.10.0 graphs",
        "Capturing CUDA graph shapes:  45%|####5     | 30/67 [00:08<00:09,  3.88it/s]",
        PhaseMark(Phase.GRAPHS, 0.45),
    ),
    (
        "from 0.10.2 graphs",
        "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):   5%|5 | 1/19 [00:15<04:40]",
        PhaseMark(Phase.GRAPHS, 0.05),
    ),
    (
        "V2 runner graphs",
        "(EngineCore pid=2) Capturing CUDA graphs (FULL): 100%|##########| 11/11 [00:00<00:00]",
        PhaseMark(Phase.GRAPHS, 1.0),
    ),
    (
        "graphs of a drafter",
        "Capturing multi-module MTP CUDA graphs (FULL):  27%|##7       | 3/11 [00:00<00:00]",
        PhaseMark(Phase.GRAPHS, 0.27),
    ),
    (
        "several states of a bar in one line",
        "Capturing CUDA graphs (FULL):   0%|  | 0/11\rCapturing CUDA graphs (FULL):  27%|",
        PhaseMark(Phase.GRAPHS, 0.27),
    ),
    (
        "all graphs",
        CORE + "Graph capturing finished in 3 secs, took 0.39 GiB",
        PhaseMark(Phase.GRAPHS, 1.0, (("graphs_s", 3), ("graphs_gib", 0.39))),
    ),
    (
        "up to 0.19 init",
        CORE + "init engine (profile, create kv cache, warmup model) took 40.31 seconds",
        PhaseMark(Phase.WARMUP, None, (("init_engine_s", 40.31),)),
    ),
    (
        "from 0.20.2 init",
        CORE + "init engine (profile, create kv cache, warmup model) took 40.31 s "
        "(compilation: 17.02 s — language_model: 12.00 s, encoder: 5.02 s)",
        PhaseMark(Phase.WARMUP, None, (("init_engine_s", 40.31),)),
    ),
    (
        "up to 0.17.1 server",
        API + "Starting vLLM API server 0 on http://0.0.0.0:8000",
        PhaseMark(Phase.WARMUP),
    ),
    (
        "from 0.19 server",
        API + "Starting vLLM server on http://127.0.0.1:8000",
        PhaseMark(Phase.WARMUP),
    ),
    ("routes", API + "Available routes are:", PhaseMark(Phase.WARMUP)),
    ("uvicorn", "INFO:     Application startup complete.", PhaseMark(Phase.WARMUP, 1.0)),
]


@pytest.mark.parametrize(
    ("line", "expected"), [case[1:] for case in LINES], ids=[case[0] for case in LINES]
)
def test_wordings(line: str, expected: PhaseMark) -> None:
    assert read_line(line) == expected


SILENT = [
    "",
    " ",
    "\x00\x1b[31m�",
    "Loading safetensors checkpoint shards",
    "Capturing CUDA graphs (FULL): ?it/s",
    API + "non-default args: {'model': 'm', 'max_model_len': 2048}",
    API + "Engine 000: Avg prompt throughput: 25.6 tokens/s, Avg generation throughput: "
    "6.4 tokens/s, Running: 0 reqs, Waiting: 0 reqs, GPU KV cache usage: 0.0%, "
    "Prefix cache hit rate: 0.0%",
    CORE + "Initializing model took 0.218650 seconds",
    CORE + "CUDA graph pool memory: 0.39 GiB (actual), 0.56 GiB (estimated), difference: -0.17 GiB "
    "(-43.6%).",
    CORE + "Network filesystem (NFS) detected but checkpoint total size (70 GiB) exceeds 90% of "
    "available RAM (60 GiB). Skipping auto-prefetch.",
    CORE + "Prefetching checkpoint files into page cache finished in 61.20s",
    CORE + "Selected MLA prefill backend FLASHINFER for layer 1",
    CORE + "Cudagraph is disabled under eager mode",
    API + "Received request cmpl-1: prompt: 'KV cache size: 5 tokens', params: SamplingParams(n=1)",
    API + "Generated response cmpl-1: output: 'Loading weights took 7 seconds'",
    CORE + "Cache the graph of compile range (1, 16384) for later use",
    "ValueError: Free memory on device (14.52/79.18 GiB) on startup is less than desired",
]


@pytest.mark.parametrize("line", SILENT)
def test_other_lines_say_nothing(line: str) -> None:
    assert read_line(line) is None


NEEDLES = sorted({line.split("] ")[-1] for _, line, _ in LINES})


@given(st.text())
@example("KV cache size: ,,, tokens")
@example("Loading weights took . seconds")
@example("Model loading took ... GiB and . seconds")
@example("Maximum concurrency for , tokens per request: .x")
@example("Capturing CUDA graphs ٣%")
def test_any_text_is_taken(text: str) -> None:
    mark = read_line(text)
    assert mark is None or isinstance(mark.phase, Phase)


@given(st.sampled_from(NEEDLES), st.integers(0, 80), st.text(max_size=20))
def test_damaged_lines_are_taken(line: str, at: int, noise: str) -> None:
    mark = read_line(line[:at] + noise + line[at:])
    if mark and mark.fraction is not None:
        assert 0 <= mark.fraction <= 1


CUT = [(line, whole) for _, line, whole in LINES if whole.facts]


@pytest.mark.parametrize(("line", "whole"), CUT)
def test_a_line_that_breaks_off_has_no_wrong_figure(line: str, whole: PhaseMark) -> None:
    for end in range(len(line)):
        mark = read_line(line[:end])
        assert set(mark.facts if mark else ()) <= set(whole.facts)


def read(*lines: str) -> list[PhaseMark | None]:
    reader = StartReader()
    return [reader.read(line) for line in lines]


ONE_LINE = CORE + "GPU KV cache size: 271,360 tokens, Maximum concurrency for 32,000 tokens per "
ALL_FIGURES = (("kv_cache_tokens", 271_360), ("max_model_len", 32_000), ("max_concurrency", 8.48))


@pytest.mark.parametrize("prefix", ["", "    ", "(EngineCore pid=2) ", CORE])
def test_a_wrapped_line_is_read_with_what_follows(prefix: str) -> None:
    first, second, third = read(ONE_LINE + "\\", prefix + "request: 8.48x", "request: 9x")
    assert first == PhaseMark(Phase.PROFILE, 1.0, ALL_FIGURES[:1])
    assert second == PhaseMark(Phase.PROFILE, 1.0, ALL_FIGURES)
    assert third is None


def test_a_line_wrapped_twice() -> None:
    half, rest = ONE_LINE[:-20] + "\\", ONE_LINE[-20:] + "\\"
    assert read(half, rest, "request: 8.48x")[-1] == PhaseMark(Phase.PROFILE, 1.0, ALL_FIGURES)


def test_backslashes_without_end_are_not_kept() -> None:
    reader = StartReader()
    for _ in range(1000):
        reader.read("x" * 99 + "\\")
    assert len(reader._wrapped) < 20_000


def test_a_second_bar_does_not_go_back() -> None:
    marks = read(
        "Capturing CUDA graphs (PIECEWISE):  60%|",
        "Capturing CUDA graphs (FULL):   0%|",
        "Capturing CUDA graphs (FULL):  80%|",
    )
    assert [mark.fraction for mark in marks if mark] == [0.6, 0.6, 0.8]


def test_a_line_without_a_share_keeps_the_share() -> None:
    marks = read(
        "Loading safetensors checkpoint shards:   0% Completed | 0/7",
        "Selected CutlassFp8BlockScaledMMKernel for Fp8LinearMethod",
        CORE + "Dynamo bytecode transform time: 5.31 s",
    )
    assert [mark.fraction for mark in marks if mark] == [0.0, 0.0, None]


@given(st.lists(st.text()))
def test_any_lines_are_taken(lines: list[str]) -> None:
    read(*lines, *(f"{line}\\" for line in lines))


@pytest.mark.parametrize(
    "line",
    [
        "(APIServer pid=1) ERROR 11-20 10:00:00 [core.py:9] ValueError: too little",
        "(VllmWorker-0 pid=1) ERROR 11-20 10:00:00 [core.py:9] ValueError: too little",
        "\x1b[1;36m(EngineCore_DP0 pid=1)\x1b[0;0m ValueError: too little",
        "\x1b[0;36m(EngineCore pid=1)\x1b[0;0m \x1b[31mERROR\x1b[0m \x1b[90m11-20 10:00:00\x1b[0m "
        "\x1b[90m[core.py:9]\x1b[0m builtins.ValueError: too little",
        "ERROR 11-20 10:00:00 [core.py:9] ValueError: too little",
    ],
)
def test_errors_of_all_processes(line: str) -> None:
    assert read_error(line) == "ValueError: too little"


def test_a_warning_is_no_error() -> None:
    assert (
        read_error("(A pid=1) WARNING 11-20 10:00:00 [x.py:9] ImportError: no flash_attn") is None
    )


MIXED = [line for log in LOGS for line in log.lines()]
ALL_NEEDLES = re.compile(
    "|".join(re.escape(anchor.needle) for group in ANCHORS.values() for anchor in group)
)


def seconds(read: Callable[[str], object]) -> float:
    """Processor time for reading all lines; the least of five, as others work here too."""

    def once() -> float:
        began = time.process_time()
        for line in MIXED:
            read(line)
        return time.process_time() - began

    return min(once() for _ in range(5))


def test_reading_costs_no_more_than_two_searches_for_all_wordings() -> None:
    """A daemon that starts again reads the whole log of what it takes over.

    A ratio, as machines differ; benchmarks/monitor/bench_readers.py has lines a second.
    """
    assert seconds(read_line) < 2 * seconds(ALL_NEEDLES.search)


@pytest.mark.parametrize("group", ANCHORS)
def test_the_word_of_a_group_is_in_its_wordings(group: str) -> None:
    read = {anchor.needle for anchor in ANCHORS[group]}
    lines = [line for _, line, _ in LINES if group in line]
    assert {needle for needle in read if any(needle in line for line in lines)} == read
