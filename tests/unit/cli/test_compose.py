"""`sparkwell compose`: the file for people, one JSON document for programs, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from sparkwell.cli.main import cli
from sparkwell.core.errors import ConflictError, SparkwellError, UsageError

TOKEN = "hf_" + "s" * 34
SPARK = ("--hardware", "dgx-spark")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKWELL_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["compose", *words])


def said(*words: str) -> Result:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result


def refused(*words: str) -> SparkwellError:
    error = run(*words).exception
    assert isinstance(error, SparkwellError), error
    return error


def services(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text)["services"]
    return found


def test_standard_output_is_the_file_alone() -> None:
    result = said("qwen3-8b-fp8", *SPARK)
    assert list(services(result.stdout)) == ["vllm-qwen3-8b-fp8"]
    assert result.stderr == ""


def test_notes_go_to_standard_error() -> None:
    result = said("qwen3-8b-fp8", *SPARK, "--image", "me/vllm:1")
    assert "Note: Nothing is known of the image" in result.stderr


def test_exact_and_without() -> None:
    exact = services(said("qwen3-8b-fp8", *SPARK, "--exact").stdout)["vllm-qwen3-8b-fp8"]
    assert exact["restart"] == "unless-stopped"
    some = said("qwen3-8b-fp8", *SPARK, "--without", "restart", "--without", "loopback").stdout
    service = services(some)["vllm-qwen3-8b-fp8"]
    assert (service["restart"], service["ports"]) == ("unless-stopped", ["8000:8000"])
    assert "--trust-remote-code" not in service["command"]


def test_json_is_one_document_with_the_reasons() -> None:
    document = json.loads(said("qwen3-32b-fp8", "ollama", *SPARK, "--json").stdout)
    assert document["hardware"] == "dgx-spark"
    assert document["yaml"].startswith("# Written by")
    assert list(document["compose"]["services"]) == ["vllm-qwen3-32b-fp8", "ollama"]
    vllm, ollama = document["services"]
    assert (vllm["engine_version"], vllm["fits"]) == ("0.10.1.1", True)
    assert "loopback" in vllm["corrections"]
    assert set(vllm["differences"][0]) == {"option", "guide", "sparkwell", "correction", "why"}
    assert (ollama["model"], ollama["fits"]) == ("ollama", None)


def test_a_file_is_written_and_written_again(folder: Path) -> None:
    result = said("qwen3-8b-fp8", *SPARK, "-o", "docker-compose.yml")
    assert result.stdout == "Wrote docker-compose.yml.\n"
    first = (folder / "docker-compose.yml").read_text()
    said("qwen3-8b-fp8", *SPARK, "-o", "docker-compose.yml")
    assert (folder / "docker-compose.yml").read_text() == first
    document = json.loads(said("qwen3-8b-fp8", *SPARK, "-o", "other.yml", "--json").stdout)
    assert document["file"] == "other.yml"


def test_a_file_of_somebody_else_is_kept(folder: Path) -> None:
    file = folder / "docker-compose.yml"
    file.write_text("services: {mine: {image: mine}}\n")
    error = refused("qwen3-8b-fp8", *SPARK, "-o", str(file))
    assert isinstance(error, ConflictError)
    assert "--force" in (error.hint or "")
    assert "mine" in file.read_text()
    said("qwen3-8b-fp8", *SPARK, "-o", str(file), "--force")
    assert "mine:" not in file.read_text()


@pytest.mark.parametrize("line", [f"HF_TOKEN={TOKEN}", f"export HF_TOKEN='{TOKEN}'"])
def test_a_token_beside_the_file_is_used_and_never_printed(line: str, folder: Path) -> None:
    (folder / "there").mkdir()
    (folder / "there" / ".env").write_text(f"{line}\n")
    result = said("qwen3-8b-fp8", *SPARK, "-o", "there/compose.yml")
    text = (folder / "there" / "compose.yml").read_text()
    assert "environment: HF_TOKEN" in text
    assert TOKEN not in text + result.output
    assert "secrets" not in yaml.safe_load(said("qwen3-8b-fp8", *SPARK).stdout)


def test_an_env_file_that_cannot_be_read_is_none(folder: Path) -> None:
    (folder / ".env").mkdir()
    assert "secrets" not in yaml.safe_load(said("qwen3-8b-fp8", *SPARK).stdout)


def test_what_cannot_work_is_refused_and_forced() -> None:
    words = ("qwen3-32b", *SPARK, "--image", "vllm/vllm-openai:latest")
    assert isinstance(refused(*words), ConflictError)
    said(*words, "--force")


@pytest.mark.parametrize(
    "words",
    [
        ("qwen3-8b-fp8", "--without", "nothing"),
        ("qwen3-8b-fp8", "--publish", "everywhere"),
        ("qwen3-8b-fp8", "--set", "max_len=3"),
        ("qwen9",),
        ("--hardware", "toaster"),
        ("llama31-8b-fp8", "--profile", "guide"),
    ],
)
def test_wrong_words_are_explained(words: tuple[str, ...]) -> None:
    error = refused(*words)
    assert isinstance(error, UsageError)
    assert error.hint
