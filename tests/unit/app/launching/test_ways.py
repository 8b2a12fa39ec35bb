"""How a model's engine runs here: an environment that is installed, else a container."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sparkwell.app.launching.ways import Ways
from sparkwell.app.settings.config import ContainerSettings, EngineSettings, ModelSettings, Settings
from sparkwell.catalog import load_catalog
from sparkwell.core.errors import EnvironmentFault, UsageError
from sparkwell.drivers.environments import Installed
from sparkwell.hardware.description import find_machine
from sparkwell.hardware.machine import Machine

CATALOG = load_catalog()
QWEN, DEMO = CATALOG.get("qwen3-8b-fp8"), CATALOG.get("demo-qwen3")
CUDA = Installed("vllm", "vllm", "cuda", "0.25.0", "/e", "/e/bin/python")
NGC = "nvcr.io/nvidia/vllm:25.09-py3"


@pytest.fixture
def docker(tmp_path: Path) -> dict[str, str]:
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return {"PATH": str(tmp_path)}


SPARK, H100 = find_machine("dgx-spark"), find_machine("h100-80gb")
CPU = find_machine("cpu")
Find = Callable[[str], Installed | None]


def ways(settings: Settings, find: Find, environ: dict[str, str], machine: Machine = SPARK) -> Ways:
    return Ways(settings, find, environ, lambda: machine, settings.models)


def nothing(_name: str) -> Installed | None:
    return None


def test_an_installed_environment_comes_first(docker: dict[str, str]) -> None:
    way = ways(Settings(), lambda _name: CUDA, docker).way(QWEN)
    assert (way.driver, way.version, way.device, way.image) == ("process", "0.25.0", "cuda", None)


def test_without_one_it_is_a_container(docker: dict[str, str]) -> None:
    way = ways(Settings(), nothing, docker).way(QWEN)
    assert (way.driver, way.version, way.device, way.image) == ("compose", "0.10.1.1", "cuda", NGC)


def test_without_docker_there_is_no_container() -> None:
    with pytest.raises(EnvironmentFault, match="vllm is not installed") as caught:
        ways(Settings(), nothing, {}).way(QWEN)
    assert "`sparkwell engine install vllm`" in (caught.value.hint or "")


def test_the_image_suits_the_machine(docker: dict[str, str]) -> None:
    way = ways(Settings(), nothing, docker, H100).way(QWEN)
    assert (way.image, way.version) == ("vllm/vllm-openai:v0.25.0", "0.25.0")


def test_a_machine_without_a_gpu_gets_no_image_that_needs_one(docker: dict[str, str]) -> None:
    with pytest.raises(EnvironmentFault, match="vllm is not installed"):
        ways(Settings(), nothing, docker, CPU).way(QWEN)


def test_who_asks_for_a_container_gets_one_and_the_driver_says_what_lacks() -> None:
    assert ways(Settings(), lambda _name: CUDA, {}).way(QWEN, "compose").image == NGC


def test_who_names_an_image_means_a_container(docker: dict[str, str]) -> None:
    way = ways(Settings(), lambda _name: CUDA, docker).way(QWEN, image="vllm/vllm-openai:v0.25.0")
    assert (way.driver, way.version) == ("compose", "0.25.0")


def test_who_asks_for_a_process_gets_no_container(docker: dict[str, str]) -> None:
    with pytest.raises(EnvironmentFault, match="vllm is not installed"):
        ways(Settings(), nothing, docker).way(QWEN, "process")


def test_a_model_without_an_image_needs_one_from_the_settings(docker: dict[str, str]) -> None:
    with pytest.raises(EnvironmentFault, match="image") as caught:
        ways(Settings(), nothing, docker).way(DEMO, "compose")
    assert "vllm-cpu" in (caught.value.hint or "")
    images = ContainerSettings(images={"vllm-cpu": "mine/vllm-cpu:0.32.0"})
    way = ways(Settings(containers=images), nothing, docker).way(DEMO, "compose")
    assert (way.image, way.version, way.device) == ("mine/vllm-cpu:0.32.0", "0.32.0", "cpu")


def test_the_settings_choose_for_all_and_for_one(docker: dict[str, str]) -> None:
    every = Settings(engines=EngineSettings(driver="compose"))
    assert ways(every, lambda _name: CUDA, docker).way(QWEN).driver == "compose"
    one = Settings(
        engines=EngineSettings(driver="compose"),
        models={QWEN.name: ModelSettings(driver="process")},
    )
    assert ways(one, lambda _name: CUDA, docker).way(QWEN).driver == "process"


def test_the_image_of_a_model_wins_over_its_engines(docker: dict[str, str]) -> None:
    settings = Settings(
        containers=ContainerSettings(images={"vllm": "all:1"}),
        models={QWEN.name: ModelSettings(image="one:1")},
    )
    assert ways(settings, nothing, docker).image(QWEN) == "one:1"
    assert ways(settings, nothing, docker).image(CATALOG.get("qwen3-32b")) == "all:1"
    assert ways(settings, nothing, docker).way(QWEN).image == "one:1"


def test_an_image_whose_version_nobody_knows_is_taken_for_our_own_build(
    docker: dict[str, str],
) -> None:
    assert ways(Settings(), nothing, docker).way(QWEN, image="mine:latest").version == "0.25.0"


@pytest.mark.parametrize("image", ["", "bad image", "--privileged", "A/B", "x" * 600])
def test_what_cannot_be_an_image_is_refused(docker: dict[str, str], image: str) -> None:
    with pytest.raises(UsageError, match="is not the name of a container image"):
        ways(Settings(), nothing, docker).way(QWEN, image=image)
