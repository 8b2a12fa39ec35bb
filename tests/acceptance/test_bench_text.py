"""`sparkwell bench` with prompts of text: models of Ollama, and endpoints that refuse token ids."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sparkwell.testing.fake_ollama.running import RunningOllama, running_ollama
from tests.acceptance.conftest import Home

Json = dict[str, Any]
MODEL = "ollama/qwen3:8b"
ONCE = ("--repeats", "1")


@pytest.fixture
def ollama(tmp_path: Path, home: Home) -> Iterator[RunningOllama]:
    flags = ["--models", "qwen3:8b=5GB@40960", "--token-s", "0.002"]
    with running_ollama(tmp_path, *flags) as server:
        home.configure({"engines": {"ollama_port": server.port}})
        yield server


@pytest.fixture
def loaded(home: Home, ollama: RunningOllama) -> Home:
    home.ok("up", MODEL)
    return home


def rows(case: Json) -> list[list[Any]]:
    return [row for each in case["repeats"] for row in each["requests"]["rows"]]


@pytest.mark.parametrize("way", [[], ["--direct"]])
def test_a_model_of_ollamas_is_measured(loaded: Home, way: list[str]) -> None:
    found = loaded.json("bench", *way, *ONCE, "--concurrency", "1,4", "--requests", "8")
    assert (found["model"], found["prompts"], found["broken"]) == (MODEL, "text", None)
    assert found["versions"]["engine"] == "ollama"
    assert found["flags"] == {"num_ctx": 32768}
    for case in found["cases"]:
        assert (case["failed"], case["planned"]) == (0, None)
        assert {(row[4], row[5]) for row in rows(case)} == {(128, 64)}, "as the server counted"
        assert case["lengths"] == {"prompt_tokens": 128, "output_tokens": 64}
        assert case["notes"][0].startswith("Lengths are not exact: prompts of 128 tokens")
        assert 0.002 <= case["measured"]["tpot_p50_s"]["mean"] < 0.05
    assert "~128, ~64" in loaded.ok("bench", "show")


def test_answers_may_end_by_themselves(loaded: Home) -> None:
    """The fake says the prompt again, which is all that it has to say."""
    words = ("--concurrency", "2", "--requests", "4", "--prompt-tokens", "20")
    [case] = loaded.json("bench", *ONCE, *words, "--output-tokens", "400")["cases"]
    assert {row[5] for row in rows(case)} == {22}
    assert "answers of 22, as the server" in case["notes"][0]


def test_the_prefix_suite_shares_its_document(loaded: Home) -> None:
    words = ("--suite", "prefix", "--requests", "8", "--prompt-tokens", "4200")
    found = loaded.json("bench", *ONCE, *words, "--output-tokens", "4")
    assert [case["name"] for case in found["cases"]][::2] == ["document first", "nothing shared"]
    assert {each["figure"] for each in found["saved"]} == {"ttft_p50_s", "output_tokens_per_s"}
    assert "What the shared document saved" in loaded.ok("bench", "show")


def test_an_endpoint_that_refuses_token_ids_says_what_to_do(
    home: Home, ollama: RunningOllama
) -> None:
    words = ("bench", "qwen3:8b", "--url", f"http://127.0.0.1:{ollama.port}", *ONCE)
    refused = home.run(*words, "--concurrency", "1")
    assert refused.returncode == 2
    assert "cannot unmarshal" in refused.stderr
    assert "--text-prompts" in refused.stderr
    found = home.json(*words, "--concurrency", "1", "--text-prompts")
    assert found["cases"][0]["failed"] == 0


def test_a_model_of_vllms_can_be_asked_with_text_too(home: Home) -> None:
    home.ok("up", "demo-qwen3")
    found = home.json("bench", *ONCE, "--text-prompts", "--concurrency", "2", "--requests", "4")
    [case] = found["cases"]
    assert (found["prompts"], case["failed"], case["guide"]) == ("text", 0, None)
    prompts = {row[4] for row in rows(case)}
    assert 100 < min(prompts) <= max(prompts) < 160
