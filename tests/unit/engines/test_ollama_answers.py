"""What Ollama's API answers, read: the published examples, other versions, and nonsense."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.catalog.ollama import parse_ollama
from sparkwell.core.errors import EnvironmentFault, UnknownModelError
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.engines.ollama import is_ready, ollama_spec, read_figures
from sparkwell.engines.ollama.answers import (
    PullEvent,
    PullProgress,
    read_error,
    read_ps,
    read_pull_event,
    read_show,
    read_tags,
    read_version,
)
from sparkwell.engines.ollama.explain import ModelMissingError, explain
from sparkwell.engines.ollama.state import find_loaded

# From docs/openapi.yaml (ollama/ollama), and docs/api.md of an older one without a context.
PS: dict[str, Any] = {
    "name": "gemma4",
    "model": "gemma4",
    "size": 6591830464,
    "digest": "c6eb396dbd5992bbe3f5cdb947e8bbc0ee413d7c17e2beaae69f5d569cf982eb",
    "details": {"parent_model": "", "format": "gguf", "family": "gemma4"},
    "expires_at": "2025-10-17T16:47:07.93355-07:00",
    "size_vram": 5333539264,
    "context_length": 4096,
}
OLD = {key: value for key, value in PS.items() if key != "context_length"}
FOREVER = "2318-02-06T05:31:34.283729301+01:00"
SERVED = "sparkwell/gemma4:latest-ctx4096"


def answer(*models: Any) -> str:
    return json.dumps({"models": list(models)})


def spec(num_ctx: int = 4096) -> LaunchSpec:
    return ollama_spec(parse_ollama("gemma4"), "x", Endpoint(port=11434), num_ctx=num_ctx)


def test_the_published_example() -> None:
    (found,) = read_ps(answer(PS))
    assert (found.name, found.size_bytes, found.vram_bytes) == ("gemma4", 6591830464, 5333539264)
    assert found.context_length == 4096
    assert found.expires_at is not None
    assert (found.expires_at.year, found.expires_at.minute) == (2025, 47)
    assert not found.is_kept


def test_an_older_server_does_not_say_the_context() -> None:
    assert read_ps(answer(OLD))[0].context_length is None


@pytest.mark.parametrize(
    ("at", "kept"),
    [
        (FOREVER, True),
        ("2318-02-06T05:31:34Z", True),
        ("2025-10-17T16:47:07.93355-07:00", False),
        ("0001-01-01T00:00:00Z", False),  # Go's zero: not known yet
        ("soon", False),
        (None, False),
        (5, False),
    ],
)
def test_what_stays_until_it_is_unloaded(at: object, kept: bool) -> None:
    assert read_ps(answer({**PS, "expires_at": at}))[0].is_kept is kept


def test_nothing_is_loaded() -> None:
    assert read_ps('{"models": []}') == read_ps('{"models": null}') == read_ps("{}") == ()


def test_models_on_the_disk() -> None:
    text = answer({"name": "gemma4", "model": "gemma4", "size": 9608350245}, {"model": "b"})
    assert [(each.name, each.size_bytes) for each in read_tags(text)] == [
        ("gemma4", 9608350245),
        ("b", None),
    ]


def test_versions() -> None:
    assert read_version('{"version": "0.12.6"}') == "0.12.6"


def test_metadata_that_are_shown() -> None:
    assert read_show('{"model_info": {"a.b": 1}}') == {"a.b": 1}
    assert read_show("{}") == {}


WRONG = ["", "null", "[]", "<html>", '{"models": 1}', '{"models": [1]}', '{"models": [{}]}']
WRONG += ["[" * 100_000, '{"version": 1}']


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:20])
def test_what_is_not_ollama(text: str) -> None:
    for read in (read_ps, read_tags) if "version" not in text else (read_version,):
        with pytest.raises(ValueError):  # noqa: PT011 - any
            read(text)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_odd_values_are_unknown_and_never_a_crash(value: object) -> None:
    odd = {**PS, "size": value, "size_vram": value, "context_length": value, "expires_at": value}
    (found,) = read_ps(answer(odd))
    assert found.size_bytes is None or found.size_bytes >= 0


# ── whether it is there ─────────────────────────────────────────────────────────────────────


def test_ready_is_what_is_listed_and_stays() -> None:
    own = {**PS, "name": SERVED}
    assert not is_ready(answer(own), spec())  # while it loads it has some minutes
    assert is_ready(answer({**own, "expires_at": FOREVER}), spec())
    assert not is_ready(answer(), spec())
    assert not is_ready("<html>", spec())


def test_a_model_is_known_by_its_own_name_and_its_sources() -> None:
    models = read_ps(answer({**PS, "name": "other"}, {**PS, "name": "GEMMA4:latest"}))
    assert find_loaded(spec(), models) == models[1]
    assert find_loaded(spec(8192), models) is None  # somebody else's, with another context
    own = read_ps(answer({**PS, "name": SERVED.replace("4096", "8192")}))
    assert find_loaded(spec(8192), own) == own[0]  # whatever Ollama counts as its context


def test_an_odd_name_is_passed_over() -> None:
    assert find_loaded(spec(), read_ps(answer({**PS, "name": "a:b:c"}))) is None


def test_figures() -> None:
    facts = dict(read_figures(answer(PS), spec()))
    assert facts == {
        "held_bytes": 6591830464,
        "vram_bytes": 5333539264,
        "max_model_len": 4096,
    }
    assert read_figures(answer(), spec()) == ()
    assert read_figures("?", spec()) == ()


# ── pulls ───────────────────────────────────────────────────────────────────────────────────


def test_a_line_of_a_pull() -> None:
    line = '{"status":"pulling a1","digest":"sha256:a1","total":2142590208,"completed":241970}'
    assert read_pull_event(line) == PullEvent("pulling a1", "sha256:a1", 2142590208, 241970)
    assert read_pull_event('{"status":"pulling manifest"}') == PullEvent("pulling manifest")


@given(
    st.lists(
        st.builds(
            PullEvent,
            st.just("pulling"),
            st.sampled_from([None, "a", "b", "c"]),
            st.none() | st.integers(0, 10**12),
            st.none() | st.integers(0, 10**13),
        )
    )
)
def test_a_pull_only_goes_forward(events: list[PullEvent]) -> None:
    progress, before = PullProgress(), 0.0
    for event in events:
        progress.feed(event)
        now = progress.fraction
        assert now is None or before <= now <= 0.99
        before = now or before


def test_progress_counts_all_files() -> None:
    assert PullProgress().fraction is None
    progress = PullProgress()
    progress.feed(PullEvent("pulling", "a", 300, None))
    assert progress.fraction == 0.0
    progress.feed(PullEvent("pulling", "a", 300, 150))
    progress.feed(PullEvent("pulling", "b", 100, 0))
    assert progress.total_bytes == 400
    assert progress.fraction == 0.5  # not back to 3/8
    progress.feed(PullEvent("pulling", "a", 300, 300))
    assert progress.fraction == 0.75


# ── errors ──────────────────────────────────────────────────────────────────────────────────

SAID = [
    ("pulling x", 200, "pull model manifest: file does not exist", "no such model"),
    (
        "loading x",
        500,
        "model requires more system memory (56.0 GiB) than is available (50.3 GiB)",
        "not enough memory",
    ),
    ("loading x", 500, "cudaMalloc failed: out of memory", "ran out"),
    ("pulling x", 200, "write /root/.ollama/b: no space left on device", "is full"),
    (
        "pulling x",
        200,
        "pull model manifest: 412: The model you are attempting to pull requires a newer version "
        "of Ollama.",
        "needs a newer Ollama",
    ),
    ("pulling x", 200, 'Get "https://r": dial tcp: lookup r: no such host', "cannot reach"),
    ("loading x", 503, "server busy, please try again", "too much to do"),
    ("loading x", 500, "llama runner process has terminated: exit status 2", "process died"),
]


@pytest.mark.parametrize(("doing", "status", "said", "means"), SAID)
def test_known_errors_have_a_meaning_and_a_way_out(
    doing: str, status: int, said: str, means: str
) -> None:
    error = explain(doing, status, json.dumps({"error": said}))
    assert means in error.message
    assert said in error.message
    assert error.hint


def test_other_errors_are_passed_on() -> None:
    error = explain("loading x", 500, '{"error": "something new"}')
    assert error.message == "Ollama answered 500 at loading x: something new."
    assert "docker logs sparkwell-ollama" in str(error.hint)
    assert "broke off at pulling x" in explain("pulling x", 200, '{"error": "new"}').message
    assert explain("x", 502, "<h1>Bad\nGateway</h1>").message.endswith("<h1>Bad Gateway</h1>.")
    assert "nothing" in explain("x", 500, "").message


def test_errors_that_somebody_acts_on_have_types() -> None:
    said = json.dumps({"error": "model 'x' not found"})
    assert isinstance(explain("loading x", 404, said), ModelMissingError)
    assert isinstance(
        explain("pulling x", 200, json.dumps({"error": SAID[0][2]})), UnknownModelError
    )
    assert isinstance(explain("loading x", 500, said), EnvironmentFault)


def test_an_error_in_either_shape() -> None:
    assert read_error('{"error": "a"}') == "a"
    assert read_error('{"error": {"message": "b", "type": "api_error"}}') == "b"
    assert read_error('{"status": "success"}') is None
    assert read_error("not JSON") is None
