"""Written, not recorded: lines after the wordings of vLLM 0.10 to 0.33 in its sources."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.engines.vllm import read_line

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
    API + "Available routes are:",
    API + "non-default args: {'model': 'm', 'max_model_len': 2048}",
    API + "Engine 000: Avg prompt throughput: 25.6 tokens/s, Avg generation throughput: "
    "6.4 tokens/s, Running: 0 reqs, Waiting: 0 reqs, GPU KV cache usage: 0.0%, "
    "Prefix cache hit rate: 0.0%",
    CORE + "Initializing model took 0.218650 seconds",
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


def seconds(lines: list[str], rounds: int) -> float:
    """Processor time for reading all lines some times."""
    began = time.process_time()
    for _ in range(rounds):
        for line in lines:
            read_line(line)
    return time.process_time() - began


def test_a_hundred_thousand_lines_cost_less_than_a_second() -> None:
    """A daemon that starts again reads the whole log of what it takes over.

    One good try of five is enough: other work on the machine is not what is measured.
    """
    lines = [line for _, line, _ in LINES] + SILENT * 20
    rounds = 50_000 // len(lines) + 1
    assert any(seconds(lines, rounds) < 0.5 for _ in range(5))
