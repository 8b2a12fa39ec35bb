"""A model in Ollama as a spec, its log's words, the server's variables, and the table of talks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.catalog.ollama import parse_ollama
from sparkwell.core.launch import Endpoint
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.engines.ollama import (
    choose_context,
    log,
    ollama_spec,
    read_error,
    read_line,
    server_environment,
)
from sparkwell.engines.ollama.answers import Loaded
from sparkwell.engines.ollama.launch import context_of, source_of
from sparkwell.engines.talk import TALKS, canary_model

AT = Endpoint(port=11434)
QWEN = parse_ollama("ollama/qwen3:8b")


def test_a_spec_says_what_to_load() -> None:
    spec = ollama_spec(QWEN, "i-1", AT, num_ctx=8192)
    assert (spec.model, spec.engine, spec.endpoint) == ("ollama/qwen3:8b", "ollama", AT)
    assert spec.served_model == "sparkwell/qwen3:8b-ctx8192"
    assert (source_of(spec), context_of(spec)) == (QWEN, 8192)
    assert canary_model(spec) == spec.served_model


@pytest.mark.parametrize(
    ("longest", "wanted", "context"),
    [
        (None, None, 32_768),
        (8192, None, 8192),
        (262_144, None, 32_768),
        (262_144, 131_072, 131_072),
        (8192, 131_072, 8192),
        (None, 4096, 4096),
    ],
)
def test_a_context_is_always_chosen(longest: int | None, wanted: int | None, context: int) -> None:
    assert choose_context(longest, wanted) == context


def test_the_servers_variables() -> None:
    found = server_environment(16_384)
    assert found == {
        "OLLAMA_HOST": "0.0.0.0:11434",
        "OLLAMA_CONTEXT_LENGTH": "16384",
        "OLLAMA_KEEP_ALIVE": "30m",
        "OLLAMA_NUM_PARALLEL": "1",
        "OLLAMA_MAX_LOADED_MODELS": "16",
    }
    assert server_environment(parallel=4)["OLLAMA_NUM_PARALLEL"] == "4"


# ── the log: what is said is read ───────────────────────────────────────────────────────────

NAMES = st.sampled_from(["qwen3:8b", "hf.co/unsloth/Qwen3-8B-GGUF:Q4_K_M", "llama3.2"])


@given(NAMES, st.floats(0, 0.99), st.integers(0, 10**12))
def test_a_pull_is_read_back(name: str, fraction: float, total: int) -> None:
    mark = read_line(log.pulling(name, fraction, total))
    assert mark is not None
    assert mark.phase is Phase.DOWNLOAD
    assert mark.fraction == pytest.approx(fraction, abs=0.006)


@given(NAMES, st.floats(0, 1e5), st.integers(1, 2**37), st.floats(0, 1), st.integers(1, 2**20))
def test_a_load_is_read_back(
    name: str, seconds: float, size: int, share: float, context: int
) -> None:
    state = Loaded(name, size, round(size * share), context, None)
    mark = read_line(log.loaded(name, seconds, state))
    assert mark is not None
    assert (mark.phase, mark.fraction) == (Phase.WEIGHTS, 1.0)
    facts = dict(mark.facts)
    assert facts["load_s"] == pytest.approx(seconds, abs=0.06)
    assert facts["held_gib"] == pytest.approx(size / 2**30, abs=0.006)
    assert facts["gpu_share"] == pytest.approx(share, abs=0.006 + 1 / size)
    assert facts["max_model_len"] == context


SAID = [
    (log.pulling("x", None, 0), PhaseMark(Phase.DOWNLOAD)),
    (log.pulled("x", 61.23), PhaseMark(Phase.DOWNLOAD, 1.0, (("download_s", 61.2),))),
    (log.loading("x", 8192), PhaseMark(Phase.WEIGHTS, 0.0)),
    (log.loaded("x", 2, None), PhaseMark(Phase.WEIGHTS, 1.0, (("load_s", 2.0),))),
    (log.starting_server(), PhaseMark(Phase.PULL)),
    (log.fetching_image(None), PhaseMark(Phase.PULL)),
    (log.fetching_image(0.0), PhaseMark(Phase.PULL, 0.0)),
    (log.fetching_image(0.425), PhaseMark(Phase.PULL, 0.42)),
    (log.fetching_image(1.0), PhaseMark(Phase.PULL, 1.0)),
    (log.answers("0.12.6", "127.0.0.1:11434"), None),
    (log.unloaded("x"), None),
    (log.unloaded_by_others("x"), None),
    (log.server_gone("127.0.0.1:11434"), None),
    (log.kept_again("x"), None),
    (log.failed("pulling failed"), None),
    ("", None),
    ("pulling x: 40%", None),
]


@pytest.mark.parametrize(("line", "mark"), SAID)
def test_every_line_says_what_it_should(line: str, mark: PhaseMark | None) -> None:
    assert read_line(line) == mark


@given(st.text())
def test_a_reason_is_one_line_and_read_back(reason: str) -> None:
    line = log.failed(reason)
    assert len(line.splitlines()) == 1
    assert read_error(line) == " ".join(reason.split())
    assert read_error(log.pulling("x", None, 0)) is None


# ── both engines ────────────────────────────────────────────────────────────────────────────


def test_every_engine_can_be_talked_to() -> None:
    spec = ollama_spec(QWEN, "i", AT, num_ctx=8192)
    vllm, ollama = TALKS["vllm"], TALKS["ollama"]
    assert (vllm.health_path, ollama.health_path) == ("/health", "/api/ps")
    assert vllm.is_ready("", spec)
    assert not ollama.is_ready('{"models": []}', spec)
    assert vllm.read_error("ValueError: no") == "ValueError: no"
    assert ollama.read_error("error: no") == "no"
    assert vllm.read_figures("", spec) == ()
    assert ollama.figures_path == "/api/ps"
