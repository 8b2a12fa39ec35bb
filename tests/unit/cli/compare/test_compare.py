"""`sparkwell compare`: the table, one JSON document, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from sparkwell.cli.compare import plot
from sparkwell.cli.compare.columns import page
from sparkwell.cli.compare.command import parse_concurrency
from sparkwell.cli.main import cli
from sparkwell.core.errors import EnvironmentFault, UnknownModelError, UsageError
from sparkwell.planner.compare import Comparison

SPARK = ("--hardware", "dgx-spark")
PAIR = ("qwen3-32b-fp8", "qwen3-30b-a3b-fp8")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKWELL_HOME", str(tmp_path / "home"))


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["compare", *words])


def said(*words: str) -> str:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result.output


def answer(*words: str) -> Any:
    return json.loads(said(*words, "--json"))


def line(text: str, title: str) -> list[str]:
    (found,) = [line for line in text.splitlines() if line.startswith(f"{title}  ")]
    return found.removeprefix(title).split()


def test_a_column_for_each_model_and_a_star_for_the_best() -> None:
    text = said(*PAIR, *SPARK)
    lines = text.splitlines()
    assert lines[0] == "dgx-spark, profile balanced"
    assert len(set(line(text, "vLLM"))) == 1
    assert lines[2].split() == list(PAIR)
    assert line(text, "Fits") == ["yes", "yes"]
    assert line(text, "Tokens/s, one stream")[-1] == "*"
    assert line(text, "Weights")[1] == "GiB"
    assert "Tokens/s, 8 at once" in text
    assert "Tokens/s, 64 at once" in text
    assert "* the best of those that fit" in text


def test_json_has_plans_rows_and_the_places_of_the_best() -> None:
    body = answer(*PAIR, *SPARK, "--concurrency", "4")
    assert [each["model"] for each in body["models"]] == list(PAIR)
    assert [each["fits"] for each in body["models"]] == [True, True]
    assert body["models"][0]["plan"]["memory"]["weights_bytes"] > 0
    assert body["models"][0]["error"] is None
    rows = {row["name"]: row for row in body["rows"]}
    assert rows["single_tokens_per_s"]["best"] == [1]
    assert rows["tokens_per_s_at_4"]["unit"] == "tokens/s"
    assert set(rows["weights_bytes"]) == {"name", "title", "unit", "better", "values", "best"}
    first = body["models"][0]["plan"]["memory"]["weights_bytes"]
    assert rows["weights_bytes"]["values"][0] == first
    assert body["plot"] is None


def test_each_column_has_its_engines_version() -> None:
    text = said("demo-qwen3", "qwen3-8b-fp8", *SPARK)
    versions = line(text, "vLLM")
    assert len(set(versions)) == 2
    assert set(line(said(*PAIR, *SPARK, "--engine-version", versions[0]), "vLLM")) == {versions[0]}
    assert line(text, "Weights")[1] == "MiB"


def test_what_does_not_fit_says_why() -> None:
    text = said("qwen3-32b-fp8", "qwen3-32b", "--profile", "guide", *SPARK)
    assert line(text, "Fits") == ["no", "yes"]
    assert "qwen3-32b-fp8 does not fit." in text
    assert text.count("At its peak") == 1
    assert "\n  - " in text


def test_fewer_at_once_than_asked_for_is_said() -> None:
    words = ("qwen3-8b-fp8", "--profile", "latency", "--profile", "throughput", *SPARK)
    assert "qwen3-8b-fp8 (latency) runs 8 requests at once; others wait" in said(*words)
    assert "others wait" not in said(*words, "--concurrency", "8")


def test_one_that_cannot_be_planned_is_a_column_with_its_error() -> None:
    text = said("qwen3-8b-fp8", "qwen3-8b-fp9", *SPARK)
    assert line(text, "Fits") == ["yes", "not", "planned"]
    assert "qwen3-8b-fp9 cannot be planned: There is no model 'qwen3-8b-fp9'." in text
    broken = answer("qwen3-8b-fp8", "qwen3-8b-fp9", *SPARK)["models"][1]
    assert (broken["plan"], broken["fits"]) == (None, None)
    assert broken["error"]["code"] == "model_not_found"


def test_where_nothing_can_be_planned_the_first_error_is_the_answer() -> None:
    assert isinstance(run("nope", "nothing", *SPARK).exception, UnknownModelError)


def test_one_model_with_several_profiles() -> None:
    body = answer("qwen3-8b-fp8", "--profile", "latency", "--profile", "throughput", *SPARK)
    labels = [each["label"] for each in body["models"]]
    assert labels == ["qwen3-8b-fp8 (latency)", "qwen3-8b-fp8 (throughput)"]
    assert [each["profile"] for each in body["models"]] == ["latency", "throughput"]


@pytest.mark.parametrize("models", [("qwen3-8b-fp8",), ("qwen3-8b-fp8", "qwen3-8b-fp8")])
def test_one_model_alone_is_refused(models: tuple[str, ...]) -> None:
    error = run(*models, *SPARK).exception
    assert isinstance(error, UsageError)
    assert error.hint is not None
    assert "--profile twice" in error.hint


def test_wrong_words() -> None:
    assert run().exit_code == 2
    assert run(*PAIR, "--profile", "fastest").exit_code == 2
    assert isinstance(run(*PAIR, "--hardware", "dgx-sparc").exception, UsageError)
    assert isinstance(run(*PAIR, *SPARK, "--engine-version", "latest").exception, UsageError)


@pytest.mark.parametrize("text", ["", "1,", "0", "-4", "8,many", "1.5", "100001", "9" * 30, "²"])
def test_wrong_numbers_of_requests(text: str) -> None:
    with pytest.raises(UsageError, match="--concurrency"):
        parse_concurrency(text)


def test_numbers_of_requests() -> None:
    assert parse_concurrency("1, 8,64") == (1, 8, 64)


def test_the_picture_is_checked_before_anything_is_planned(tmp_path: Path) -> None:
    wrong = run("nope", "nothing", "--plot", str(tmp_path / "picture.gif")).exception
    assert isinstance(wrong, UsageError)
    assert "PNG or SVG" in wrong.message
    nowhere = run("nope", "nothing", "--plot", str(tmp_path / "none" / "a.png")).exception
    assert isinstance(nowhere, EnvironmentFault)


def test_the_picture_is_written_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Comparison] = []
    monkeypatch.setattr(plot, "draw", lambda made, _file: drawn.append(made))
    file = tmp_path / "a.svg"
    assert f"Picture: {file}" in said(*PAIR, *SPARK, "--plot", str(file))
    assert answer(*PAIR, *SPARK, "--plot", str(file))["plot"] == str(file)
    assert [len(made.candidates) for made in drawn] == [2, 2]


def test_a_narrow_terminal_gets_the_table_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Comparison] = []
    monkeypatch.setattr(plot, "draw", lambda each, _file: made.append(each))
    said(*PAIR, "qwen3-8b-fp8", "mistral-nemo-12b-fp8", *SPARK, "--plot", "a.png")
    text = click.unstyle(page(made[0], 80))
    table = text.partition("\n\n*")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert sum(each.startswith("Fits ") for each in text.splitlines()) == 2
