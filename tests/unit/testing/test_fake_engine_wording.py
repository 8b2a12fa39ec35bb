"""The log lines match what a reader of vLLM's logs looks for."""

import re

import pytest

from sparkwell.core.phases import Phase
from sparkwell.testing.fake_engine import failures
from sparkwell.testing.fake_engine.arguments import engine_arguments, split_flags
from sparkwell.testing.fake_engine.loading import LoadFailedError, Loading
from sparkwell.testing.fake_engine.log import Log
from sparkwell.testing.fake_engine.script import Script
from sparkwell.testing.fake_engine.wording import STYLES, load_style

STAMP = r"INFO \d\d-\d\d \d\d:\d\d:\d\d \[[\w.]+:\d+\] "
ANCHORS = {
    "0.10": [
        r"\(APIServer pid=\d+\) " + STAMP + "vLLM API server version 0.10",
        r"\(EngineCore_DP0 pid=\d+\) " + STAMP + r"Initializing a V1 LLM engine \(v0\.10",
        r"Starting to load model org/m\.\.\.",
        r"Loading safetensors checkpoint shards:\s+25% Completed \| 1/4 \[\d\d:\d\d<",
        r"Loading weights took \d+\.\d\d seconds",
        r"Model loading took 8\.8300 GiB and \d+\.\d{6} seconds",
        r"Compiling a graph for dynamic shape takes [\d.]+ s",
        r"torch\.compile takes [\d.]+ s in total",
        r"Available KV cache memory: 60\.65 GiB\n",
        r"GPU KV cache size: 441,664 tokens\n",
        r"Maximum concurrency for 32,768 tokens per request: 13\.48x",
        r"Capturing CUDA graphs \(mixed prefill-decode, PIECEWISE\):\s+100%",
        r"Graph capturing finished in \d+ secs, took 0\.39 GiB",
        r"init engine \(profile, create kv cache, warmup model\) took [\d.]+ seconds",
        r"Starting vLLM API server 0 on http://0\.0\.0\.0:8000",
    ],
    "0.25": [
        r"\(EngineCore pid=\d+\) " + STAMP + r"Initializing a V1 LLM engine \(v0\.25",
        r"Model loading took 8\.83 GiB and \d+\.\d{6} seconds",
        r"Compiling a graph for compile range \(1, 16384\) takes [\d.]+ s",
        r"torch\.compile took [\d.]+ s in total",
        r"Initial profiling/warmup run took [\d.]+ s",
        r"init engine \(profile, create kv cache, warmup model\) took [\d.]+ s \(compilation: ",
        r"\(APIServer pid=\d+\) INFO:     Application startup complete\.",
    ],
    "0.32-cpu": [
        r"\(Worker pid=\d+\) " + STAMP + r"Starting to load model org/m\.\.\.",
        r"\nLoading safetensors checkpoint shards: 100% Completed \| 4/4",
        r"CPU KV cache size: 441,664 tokens, Maximum concurrency for 32,768 tokens per request: ",
        r"\nINFO:     Application startup complete\.",
    ],
}


async def run(style: str, *flags: str, **script: object) -> None:
    wording = load_style(style)
    arguments = engine_arguments(split_flags(["--model", "org/m", *flags]))
    loading = Loading(Script(**script), wording, arguments, Log(wording), {})  # type: ignore[arg-type]
    await loading.run()


@pytest.mark.parametrize("style", STYLES)
async def test_anchors(style: str, capfd: pytest.CaptureFixture[str]) -> None:
    await run(style)
    out, err = capfd.readouterr()
    text = f"{out}\n{err}"
    missing = [anchor for anchor in ANCHORS[style] if not re.search(anchor, text)]
    assert not missing


async def test_eager_leaves_compilation_out(capfd: pytest.CaptureFixture[str]) -> None:
    await run("0.25", "--enforce-eager")
    text = "".join(capfd.readouterr())
    assert "torch.compile" not in text
    assert "Capturing" not in text


async def test_a_failing_phase_begins_and_does_not_end(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LoadFailedError) as caught:
        await run("0.25", fail_at_phase="weights")
    assert caught.value.phase is Phase.WEIGHTS
    out, _ = capfd.readouterr()
    assert "Loading model from scratch" in out
    assert "Loading weights took" not in out


def test_a_failure_has_its_usual_words_or_those_wanted() -> None:
    assert "Free memory on device" in failures.message(Phase.INIT, None)
    assert failures.message(Phase.INIT, "cuda-oom").startswith("torch.OutOfMemoryError")
    assert failures.message(Phase.GRAPHS, "BoomError: bang") == "BoomError: bang"
    assert failures.message(Phase.GRAPHS, None).startswith("RuntimeError")
