"""`sparkwell plan`: the page for people, one JSON document for programs, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from sparkwell.cli.main import cli
from sparkwell.core.errors import SparkwellError

SPARK = ("--hardware", "dgx-spark")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKWELL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["plan", *words], color=True)


def said(*words: str) -> str:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result.output


def plain(*words: str) -> str:
    return click.unstyle(said(*words))


def answer(*words: str) -> Any:
    return json.loads(said(*words, "--json"))


def refusal(*words: str) -> SparkwellError:
    result = run(*words)
    assert isinstance(result.exception, SparkwellError), result.output
    return result.exception


def test_the_page_of_a_model_that_fits() -> None:
    page = plain("qwen3-32b-fp8", *SPARK)
    assert "qwen3-32b-fp8 on dgx-spark, vLLM 0.10.1.1, profile balanced: fits" in page
    for title in ("weights", "overhead", "KV cache", "budget", "system", "headroom", "one stream"):
        assert f"\n  {title}" in page
    assert "downl" in page
    assert "gpu_memory_utilization=" in page


def test_nothing_is_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "92")
    rows = plain("qwen3-32b-fp8", *SPARK, "--profile", "guide").splitlines()
    assert max(map(len, rows)) <= 92


def test_what_does_not_fit_is_red_with_what_would_make_it_fit() -> None:
    page = said("qwen3-32b-fp8", *SPARK, "--profile", "guide")
    assert click.style("does not fit", fg="red", bold=True) in page
    negative = next(row for row in page.splitlines() if "headroom" in row)
    assert negative.startswith("\x1b[31m")
    assert "Set gpu_memory_utilization to 0.85." in page


def test_every_flag_is_explained() -> None:
    page = plain("qwen3-30b-a3b-fp8", *SPARK, "--explain", "--set", "seed=7")
    flags = answer("qwen3-30b-a3b-fp8", *SPARK, "--set", "seed=7")["flags"]
    assert all(f"\n  {name}={value}\n      " in page for name, value in flags.items())


def test_the_guides_claims_are_in_the_document() -> None:
    claims = answer("llama33-70b-fp8", *SPARK)["guide"]
    verdicts = {claim["claim"]: claim["verdict"] for claim in claims}
    assert verdicts["llama33-70b.weights"] == "wrong"


def test_a_table_of_contexts() -> None:
    rows = answer("qwen3-32b-fp8", *SPARK, "--contexts", "8k,32k,128k")["contexts"]
    assert [row["context"] for row in rows] == [8192, 32_768, 131_072]
    assert rows[0]["kv_bytes"] == 8192 * 262_144
    assert rows[0]["sequences"] > rows[1]["sequences"] > rows[2]["sequences"]
    assert "YaRN, factor 4" in plain("qwen3-32b-fp8", *SPARK, "--contexts", "128k")


def test_several_at_once() -> None:
    found = answer("qwen3-32b-fp8", *SPARK, "--beside", "qwen3-8b-fp8", "--beside", "ollama/x=9GiB")
    assert found["fits"] is True
    assert [model["model"] for model in found["models"]][2] == "ollama/x"
    assert found["models"][2]["held_bytes"] == 9 * 2**30
    assert sum(model["held_bytes"] for model in found["models"]) <= found["free_bytes"]
    both = plain("qwen3-32b", *SPARK, "--beside", "llama33-70b-fp8")
    assert "they do not fit together" in both


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("qwen4",), "There is no model 'qwen4'"),
        (("qwen3-32b", "--hardware", "dgx-sparc"), "There is no machine 'dgx-sparc'"),
        (("qwen3-32b", "--engine-version", "new"), "is not a version"),
        (("qwen3-32b", "--engine-version", "0.9.0"), "older than any"),
        (("qwen3-32b", "--set", "gpu_memory_utilization=1.5"), "from 0.01 to 1"),
        (("qwen3-32b", "--set", "gpu_memory_utilization=0"), "from 0.01 to 1"),
        (("qwen3-32b", *SPARK, "--set", "max_model_len=999999"), "takes 40,960 tokens"),
        (
            ("qwen3-32b", *SPARK, "--engine-version", "0.33.0", "--set", "swap_space=4"),
            "swap_space",
        ),
        (("qwen3-32b", "--contexts", "8k,much"), "is no context"),
        (("qwen3-32b", *SPARK, "--beside", "ollama/x=9"), "is no size"),
        (("qwen3-32b", *SPARK, "--beside", "ollama/nobody-has-this"), "Ollama has no model"),
        (("./nowhere",), "neither a folder nor a GGUF file"),
        (("llama31-8b-fp8", "--profile", "guide"), "has no guide"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_refused(words: tuple[str, ...], message: str) -> None:
    error = refusal(*words)
    assert message in error.message
    assert error.hint
