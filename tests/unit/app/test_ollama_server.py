"""Ollama's container without a Docker: what it would be, and what is said and left when none is."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparkwell.app.ollama.server import OllamaServer
from sparkwell.app.settings.config import (
    ContainerSettings,
    EngineSettings,
    FolderSettings,
    Settings,
)
from sparkwell.core.errors import EnvironmentFault
from sparkwell.drivers.compose import images
from sparkwell.drivers.compose.pulling import PullProgress
from sparkwell.drivers.compose.seen import HOME


def settings() -> Settings:
    return Settings(
        engines=EngineSettings(ollama_port=11500),
        containers=ContainerSettings(images={"ollama": "mine/ollama:1"}),
        folders=FolderSettings(ollama="/srv/ollama"),
    )


def server(folder: Path) -> OllamaServer:
    """One that finds no Docker."""
    environ = {"DOCKER_HOST": f"unix://{folder}/none.sock", "PATH": "/nowhere"}
    return OllamaServer(folder / "server", settings(), environ, gpus=True)


def test_the_container_is_sparkwells_own(tmp_path: Path) -> None:
    found: dict[str, Any] = yaml.safe_load(server(tmp_path).render())
    assert found["name"] == "sparkwell-engines"
    service = found["services"]["ollama"]
    assert service["container_name"] == "sparkwell-ollama"
    assert service["labels"] == {HOME: str(tmp_path / "server")}
    assert service["image"] == "mine/ollama:1"
    assert service["ports"] == ["127.0.0.1:11500:11434"]
    assert service["volumes"] == ["/srv/ollama:/root/.ollama"]
    assert service["restart"] == "no"
    assert service["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]


async def test_without_docker_a_start_says_what_to_do_and_leaves_nothing(tmp_path: Path) -> None:
    one = server(tmp_path)
    with pytest.raises(EnvironmentFault, match="its container cannot be started") as caught:
        await one.start()
    assert "ollama serve" in str(caught.value.hint)
    assert not (tmp_path / "server").exists()
    assert not await one.is_ours()


async def test_a_stop_of_nothing_does_not_ask_docker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("Docker was asked")

    monkeypatch.setattr("sparkwell.drivers.compose.api.Docker", never)
    one = server(tmp_path)
    await one.stop()
    await one.stop()


async def test_a_stop_bears_a_docker_that_is_not_there(tmp_path: Path) -> None:
    """The file stays: it says that there may be a container when Docker is back."""
    file = tmp_path / "server/compose.yaml"
    file.parent.mkdir()
    file.write_text("services: {}")
    await server(tmp_path).stop()
    assert file.exists()


async def test_an_image_that_is_missing_is_pulled_with_its_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulled: list[str] = []

    async def is_present(_image: str, **_: object) -> bool:
        return bool(pulled)

    async def pull(image: str, report: images.Report, **_: object) -> None:
        report(PullProgress(2, 0, 40, 10, 100, 1.0))
        report(PullProgress(2, 2, 100, 100, 100, 2.0))
        pulled.append(image)

    async def nothing(_self: OllamaServer) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(images, "is_present", is_present)
    monkeypatch.setattr(images, "pull", pull)
    monkeypatch.setattr(OllamaServer, "_ours", nothing)
    monkeypatch.setattr(OllamaServer, "_bring_up", nothing)
    told: list[float | None] = []
    await server(tmp_path).start(told.append)
    assert told == [None, 0.25, 1.0]
    assert pulled == ["mine/ollama:1"]
    await server(tmp_path).start(told.append)
    assert len(told) == 3
