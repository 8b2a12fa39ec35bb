"""`sparkwell pull ollama/NAME`: whose server, what is said of sizes, and when it ends again."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sparkwell.app.ollama.server import OllamaServer
from sparkwell.cli.main import cli
from sparkwell.drivers.ollama.fetch import OnShare
from sparkwell.testing.fake_ollama.running import RunningOllama, free_port

FLAGS = ("--models", "qwen3:8b=5GB", "--library", "llama3.2=2GB")
KEYS = {
    "model", "repo", "revision", "folder", "files", "bytes", "fetched_bytes", "seconds", "checked",
}  # fmt: skip


@pytest.fixture
def ollama(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningOllama]:
    """A server that does not run yet, and settings that name its port."""
    home = tmp_path / "home"
    server = RunningOllama(free_port(), tmp_path / "log")
    (home / "config").mkdir(parents=True)
    text = f"engines: {{ollama_port: {server.port}}}\nfolders: {{ollama: /srv/ollama}}\n"
    (home / "config/sparkwell.yaml").write_text(text)
    monkeypatch.setenv("SPARKWELL_HOME", str(home))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    yield server
    server.kill()


@pytest.fixture
def stops(ollama: RunningOllama, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The container is the fake server; what was asked to end."""
    asked: list[bool] = []

    async def start(_self: OllamaServer, on_share: OnShare) -> None:
        on_share(None)
        on_share(0.5)
        await asyncio.to_thread(ollama.start, *FLAGS)

    async def stop(_self: OllamaServer) -> None:
        asked.append(True)

    async def is_ours(_self: OllamaServer) -> bool:
        return True

    for function in (start, stop, is_ours):
        monkeypatch.setattr(OllamaServer, function.__name__, function)
    return asked


def pull(*words: str) -> tuple[dict[str, Any], str]:
    result = CliRunner().invoke(cli, ["pull", *words, "--json"])
    assert result.exit_code == 0, result.output
    [entry] = json.loads(result.stdout)["models"]
    return entry, result.stderr


def test_a_server_that_is_not_ours(ollama: RunningOllama) -> None:
    ollama.start(*FLAGS)
    entry, said = pull("ollama/llama3.2")
    assert set(entry) >= KEYS
    assert (entry["folder"], entry["server"]) == (None, f"http://127.0.0.1:{ollama.port}")
    assert entry["fetched_bytes"] == entry["bytes"] == 2 * 10**9
    assert f"2.0 GB in the store of the server at http://127.0.0.1:{ollama.port}" in said
    again, said = pull("ollama/llama3.2")
    assert again["fetched_bytes"] == 0
    assert "nothing was downloaded" in said


def test_a_size_that_the_server_does_not_say(
    ollama: RunningOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(*_: object) -> None:
        return None

    monkeypatch.setattr("sparkwell.cli.pull_ollama._size", unknown)
    ollama.start(*FLAGS)
    entry, said = pull("ollama/llama3.2")
    assert (entry["bytes"], entry["fetched_bytes"]) == (None, None)
    assert "ollama/llama3.2 is here: in the store of" in said
    assert "(downloaded in " in said


@pytest.mark.usefixtures("ollama")
def test_a_server_that_was_brought_up_for_it_ends_again(stops: list[bool]) -> None:
    entry, said = pull("ollama/qwen3:8b")
    assert stops == [True]
    assert entry["folder"] == "/srv/ollama"
    assert entry["fetched_bytes"] == 0  # it lay in the folder already
    assert "pulling the image" in said


def test_a_server_into_which_somebody_loaded_a_model_stays(
    ollama: RunningOllama, stops: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = OllamaServer.start

    async def and_load(self: OllamaServer, on_share: OnShare) -> None:
        await start(self, on_share)
        await asyncio.to_thread(ollama.ask, "/api/generate", {"model": "qwen3:8b"})

    monkeypatch.setattr(OllamaServer, "start", and_load)
    pull("ollama/llama3.2")
    assert list(ollama.loaded()) == ["qwen3:8b"]
    assert stops == []


def test_a_pull_that_fails_ends_the_server_too(stops: list[bool]) -> None:
    result = CliRunner().invoke(cli, ["pull", "ollama/nobody-has-this"])
    assert result.exit_code != 0
    assert stops == [True]
