"""Whether an image or a model of Ollama is here: what Docker, Ollama and its folder say."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.drivers.test_ollama_store import MODEL, layer, put

from sparkwell.app.launching.presence import Presence, presence_of
from sparkwell.app.paths import find_paths
from sparkwell.app.quickly import Quickly
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import Settings
from sparkwell.catalog import load_catalog
from sparkwell.catalog.ollama import parse_ollama
from sparkwell.drivers.compose import images
from sparkwell.drivers.compose.faults import DockerUnreachableError
from sparkwell.testing.fake_ollama.running import RunningOllama, free_port, running_ollama

QWEN, OTHER = parse_ollama("ollama/qwen3:8b"), parse_ollama("ollama/other")


@pytest.fixture(scope="module")
def ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOllama]:
    with running_ollama(tmp_path_factory.mktemp("o"), "--models", "qwen3:8b=5GB@40960") as server:
        yield server


def presence(folder: Path, port: int, limit_s: float = 10.0) -> Presence:
    settings: dict[str, Any] = {
        "engines": {"ollama_port": port},
        "folders": {"ollama": str(folder)},
    }
    paths = find_paths({"SPARKWELL_HOME": str(folder)})
    models = ModelService(
        paths, Settings.model_validate(settings), load_catalog(), {"HOME": str(folder)}
    )
    return presence_of(models, Quickly(limit_s=limit_s))


def test_what_the_server_has_is_here(tmp_path: Path, ollama: RunningOllama) -> None:
    asked = presence(tmp_path, ollama.port)
    assert asked.model(QWEN) is True
    assert asked.model(OTHER) is False


def test_what_lies_in_the_folder_is_here_without_a_server(tmp_path: Path) -> None:
    """Ours ends with the last of its models."""
    root = tmp_path / "models"
    put(root, "registry.ollama.ai/library/qwen3/8b", [layer(MODEL, "sha256:aa")])
    port = free_port()
    assert presence(tmp_path, port).model(QWEN) is False  # its weights are not
    (root / "blobs").mkdir()
    (root / "blobs/sha256-aa").touch()
    assert presence(tmp_path, port).model(QWEN) is True
    assert presence(tmp_path, port).model(OTHER) is False


def test_a_manifest_that_is_none_does_not_hide_the_server(
    tmp_path: Path, ollama: RunningOllama
) -> None:
    put(tmp_path / "models", "registry.ollama.ai/library/qwen3/8b", "no manifest")
    assert presence(tmp_path, ollama.port).model(QWEN) is True


def test_a_server_that_hangs_says_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asked = presence(tmp_path, silent.getsockname()[1], limit_s=0.05)
        assert asked.model(QWEN) is None


@pytest.mark.parametrize("here", [True, False])
def test_what_docker_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: bool) -> None:
    async def is_present(image: str, *, environ: dict[str, str]) -> bool:
        assert (image, environ) == ("x/y:1", {"HOME": str(tmp_path)})
        return here

    monkeypatch.setattr(images, "is_present", is_present)
    assert presence(tmp_path, 1).image("x/y:1") is here


def test_a_docker_that_is_away_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_present(_image: str, **_environ: object) -> bool:
        raise DockerUnreachableError("Docker does not run.")

    monkeypatch.setattr(images, "is_present", is_present)
    assert presence(tmp_path, 1).image("x/y:1") is None
