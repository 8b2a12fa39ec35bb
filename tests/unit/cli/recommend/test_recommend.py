"""`sparkwell recommend`: the order, the reasons, the commands, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sparkwell.cli.main import cli
from sparkwell.cli.recommend.command import parse_memory, parse_tokens
from sparkwell.core.errors import UsageError

GIB = 1024**3
SPARK = ("--hardware", "dgx-spark")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKWELL_HOME", str(tmp_path / "home"))


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["recommend", *words])


def said(*words: str) -> str:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result.output


def answer(*words: str) -> Any:
    return json.loads(said(*words, "--json"))


def test_latency_on_a_spark() -> None:
    text = said("--need", "latency", *SPARK)
    lines = text.splitlines()
    assert lines[0] == "latency on dgx-spark (121.7 GiB)"
    assert lines[3].startswith("1. qwen3-30b-a3b-fp8: ")
    assert "   for      - chat, code and tools" in text
    assert "   not for  - problems that need" in text
    assert "   sparkwell up qwen3-30b-a3b-fp8 --profile latency" in lines
    assert max(map(len, lines)) <= 100


def test_three_in_full_the_others_in_a_line() -> None:
    few, every = said("--need", "latency", *SPARK), said("--need", "latency", *SPARK, "--all")
    assert few.count("   sparkwell up ") == 3
    assert "--all shows these in full" in few
    assert every.count("   sparkwell up ") > 3
    assert "4. " in few


def test_json_of_a_recommendation() -> None:
    body = answer("--need", "long context", *SPARK, "--concurrency", "2")
    assert (body["need"], body["profile"], body["hardware"]) == (
        "long-context",
        "long-context",
        "dgx-spark",
    )
    assert (body["concurrency"], body["context"], body["enough"]) == (2, None, None)
    first = body["ranked"][0]
    assert set(first) == {"model", "why", "figures", "use_for", "not_for", "command", "plan"}
    assert first["command"].startswith(f"sparkwell up {first['model']} --profile long-context")
    assert first["plan"]["fits"] is True
    longest = [each["figures"]["longest_context"] for each in body["ranked"]]
    assert longest == sorted(longest, reverse=True)


def test_the_demo_models_are_left_out() -> None:
    body = answer("--need", "latency", *SPARK)
    names = {each["model"] for each in [*body["ranked"], *body["unfit"]]}
    assert {each["model"] for each in body["left_out"]} == {"demo-llama", "demo-qwen3"}
    assert not names & {"demo-llama", "demo-qwen3"}


def test_less_memory_leaves_the_smaller_models() -> None:
    body = answer("--need", "quality", *SPARK, "--memory", "64GiB")
    assert body["total_bytes"] == 64 * GIB
    assert "llama33-70b-fp8" in {each["model"] for each in body["unfit"]}
    assert all(each["plan"]["memory"]["total_bytes"] == 64 * GIB for each in body["ranked"])
    assert body["ranked"]
    assert all(each["reason"] for each in body["unfit"])


def test_the_wished_context_and_requests_are_planned_and_typed() -> None:
    body = answer("--need", "throughput", *SPARK, "--context", "16k", "--concurrency", "8")
    assert body["ranked"]
    for each in body["ranked"]:
        assert each["plan"]["flags"]["max_model_len"] == 16384
        assert each["plan"]["memory"]["kv_cache_tokens"] >= 8 * 16384
        assert "--set max_model_len=16384" in each["command"]
        assert each["plan"]["flags"]["max_num_seqs"] >= 8


def test_a_context_beyond_the_models_own_scales_positions() -> None:
    body = answer("--need", "quality", *SPARK, "--context", "64k")
    (found,) = [each for each in body["ranked"] if each["model"] == "qwen3-32b-fp8"]
    assert "--profile long-context --set max_model_len=65536" in found["command"]
    assert any("positions scaled from 32,768" in each for each in found["why"])
    (native,) = [each for each in body["ranked"] if each["model"] == "qwen3-30b-a3b-fp8"]
    assert "--profile quality" in native["command"]


def test_where_nothing_fits_it_says_what_would() -> None:
    words = ("--need", "latency", *SPARK, "--memory", "20GiB")
    text = said(*words)
    assert "No model of the catalog does." in text
    body = answer(*words)
    assert body["ranked"] == []
    enough = body["enough"]
    assert enough["total_bytes"] > 20 * GIB
    assert f"With {enough['total_bytes'] // GIB} GiB {enough['model']} would." in text
    more = f"{enough['total_bytes'] // GIB}GiB"
    names = [each["model"] for each in answer(*words[:-1], more)["ranked"]]
    assert enough["model"] in names


def test_where_no_memory_would_help_it_says_so() -> None:
    words = ("--need", "latency", *SPARK, "--context", "9999999")
    assert "More memory would not change that." in said(*words)
    assert answer(*words)["enough"] is None


@pytest.mark.parametrize("words", [(), ("--need", "latency", "--concurrency", "0")])
def test_words_that_are_no_question(words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_an_unknown_need_or_machine() -> None:
    error = run("--need", "beauty", *SPARK).exception
    assert isinstance(error, UsageError)
    assert error.hint is not None
    assert "long-context" in error.hint
    assert isinstance(run("--need", "latency", "--hardware", "cray").exception, UsageError)


@pytest.mark.parametrize(
    "text", ["64", "lots", "64 GiB of it", "-3GiB", "0GiB", "12B", "9999999TiB"]
)
def test_wrong_memory(text: str) -> None:
    with pytest.raises(UsageError, match="--memory"):
        parse_memory(text)


@pytest.mark.parametrize("text", ["", "0", "-1", "32m", "k", "1.5k", "9" * 20])
def test_wrong_contexts(text: str) -> None:
    with pytest.raises(UsageError, match="--context"):
        parse_tokens(text)


def test_sizes() -> None:
    assert parse_memory("64GiB") == 64 * GIB
    assert parse_memory("64 GB") == 64 * 10**9
    assert [parse_tokens(text) for text in ("32768", "32k", "32K")] == [32768] * 3
