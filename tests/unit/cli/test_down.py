"""Stopping without a daemon: what is found ends, and what could not be looked at is said."""

import json
from pathlib import Path

import pytest

from sparkwell.app.ollama.server import OllamaServer
from sparkwell.cli import down
from sparkwell.cli.client import run
from sparkwell.cli.context import Context
from sparkwell.core.errors import EnvironmentFault, SparkwellError
from sparkwell.core.launch import Container, Endpoint, LaunchSpec, Running
from sparkwell.drivers.compose.faults import DockerUnreachableError
from sparkwell.drivers.process.records import spec_to_json
from sparkwell.drivers.routing import RoutingDriver


@pytest.fixture
def context(tmp_path: Path) -> Context:
    environ = {"SPARKWELL_HOME": str(tmp_path), "DOCKER_HOST": "unix:///nowhere.sock", "PATH": ""}
    return Context(environ, None, (), system=False)


def left_behind(context: Context, model: str) -> None:
    """A container whose end nobody has recorded."""
    container = Container("i", f"{model}-1", 8000)
    spec = LaunchSpec(f"{model}-1", model, "vllm", "1", (), Endpoint(port=1), container=container)
    folder = context.paths.containers / spec.instance
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(spec_to_json(spec)))


def test_nothing_was_running_where_nothing_was_left(context: Context) -> None:
    assert run(down._down(context, None)) == {"stopped": [], "daemon": None}


@pytest.mark.parametrize(
    ("model", "ended"), [(None, True), ("ollama/x", True), ("demo-qwen3", False)]
)
def test_ollamas_container_ends_with_the_last_of_its_models(
    context: Context, monkeypatch: pytest.MonkeyPatch, model: str | None, ended: bool
) -> None:
    asked = []

    async def look(_driver: RoutingDriver) -> tuple[list[Running], list[SparkwellError]]:
        specs = [
            LaunchSpec(f"{word}-1", name, "e", "1", (), Endpoint(uds="/x"))
            for word, name in (("a", "demo-qwen3"), ("b", "ollama/x"))
        ]
        return [Running(spec, None, None, 0.0) for spec in specs], []

    async def stop(_driver: RoutingDriver, _instance: str) -> None:
        return None

    async def end(_server: OllamaServer) -> None:
        asked.append("server")

    monkeypatch.setattr(RoutingDriver, "look", look)
    monkeypatch.setattr(RoutingDriver, "stop", stop)
    monkeypatch.setattr(OllamaServer, "stop", end)
    run(down._down(context, model))
    assert asked == (["server"] if ended else [])


@pytest.mark.parametrize("model", [None, "demo-qwen3"])
def test_it_does_not_say_that_nothing_ran_when_docker_is_away(
    context: Context, model: str | None
) -> None:
    left_behind(context, "demo-qwen3")
    with pytest.raises(EnvironmentFault, match="Whether demo-qwen3 still runs") as caught:
        run(down._down(context, model))
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_another_model_is_not_held_up_by_it(context: Context) -> None:
    left_behind(context, "demo-qwen3")
    assert run(down._down(context, "demo-llama"))["stopped"] == []


@pytest.mark.parametrize(
    "fault", [EnvironmentFault("Odd."), DockerUnreachableError("Odd.", models=("b",))]
)
def test_what_was_found_ends_all_the_same(
    context: Context, monkeypatch: pytest.MonkeyPatch, fault: SparkwellError
) -> None:
    stopped = []
    spec = LaunchSpec("a-1", "a", "vllm", "1", (), Endpoint(uds="/x"))

    async def look(_driver: RoutingDriver) -> tuple[list[Running], list[SparkwellError]]:
        return [Running(spec, None, None, 0.0)], [fault]

    async def stop(_driver: RoutingDriver, instance: str) -> None:
        stopped.append(instance)

    monkeypatch.setattr(RoutingDriver, "look", look)
    monkeypatch.setattr(RoutingDriver, "stop", stop)
    with pytest.raises(EnvironmentFault, match=r"^Stopped a\. Odd\."):
        run(down._down(context, None))
    assert stopped == ["a-1"]
