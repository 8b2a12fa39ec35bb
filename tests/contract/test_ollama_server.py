"""Ollama's container on a real Docker, with an image that only sleeps."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkwell.app.ollama.server import OllamaServer
from sparkwell.app.settings.config import (
    ContainerSettings,
    EngineSettings,
    FolderSettings,
    Settings,
)
from sparkwell.core.errors import ConflictError, EnvironmentFault
from sparkwell.testing.fake_ollama.running import free_port

from .conftest import remove_container
from .docker_fixtures import docker as command
from .kinds import IMAGE, PROJECT

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker")]
SLEEPER = f"{PROJECT}/sleeper:1"
NAME, OWN_PROJECT = f"{PROJECT}-ollama", f"{PROJECT}-engines"


@pytest.fixture(scope="module", autouse=True)
def _images(docker: None) -> Iterator[None]:
    subprocess.run(
        ["docker", "build", "-q", "-t", SLEEPER, "-"],
        input=f'FROM {IMAGE}\nCMD ["sleep", "600"]\n',
        text=True,
        check=True,
        capture_output=True,
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
    )
    yield
    for done in (["rmi", "-f", SLEEPER], ["network", "rm", f"{OWN_PROJECT}_default"]):
        subprocess.run(["docker", *done], capture_output=True, check=False)


class Bench:
    """Servers over folders of their own; all of them would have the same name."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()

    def make(self, home: str = "a", image: str = SLEEPER, port: int | None = None) -> OllamaServer:
        settings = Settings(
            engines=EngineSettings(ollama_port=port or self.port),
            containers=ContainerSettings(images={"ollama": image}),
            folders=FolderSettings(ollama=str(self.folder / "models")),
        )
        return OllamaServer(
            self.folder / home,
            settings,
            os.environ,
            gpus=False,
            container=NAME,
            project=OWN_PROJECT,
        )

    def file(self, home: str = "a") -> Path:
        return self.folder / home / "compose.yaml"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "models").mkdir()
    remove_container(NAME)
    yield Bench(tmp_path)
    remove_container(NAME)


def seen(form: str = "{{.Id}} {{.State.Status}}") -> str:
    """What Docker says of the container; nothing when there is none."""
    done = subprocess.run(
        ["docker", "container", "inspect", "-f", form, NAME],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


async def test_it_comes_up_once_and_ends(bench: Bench) -> None:
    server = bench.make()
    await server.start()
    first = seen()
    assert first.endswith("running")
    assert await server.is_ours()
    assert bench.file().exists()
    await server.start()
    assert seen() == first
    began = time.monotonic()
    await server.stop()
    assert time.monotonic() - began < 8  # docker-init passes the signal on
    assert seen() == ""
    assert not bench.file().exists()
    assert not await server.is_ours()
    await server.stop()


async def test_two_starts_at_once_make_one_container(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = bench.make()
    ups = 0
    bring_up = OllamaServer._bring_up

    async def counting(self: OllamaServer) -> None:
        nonlocal ups
        ups += 1
        await bring_up(self)

    monkeypatch.setattr(OllamaServer, "_bring_up", counting)
    await asyncio.gather(server.start(), server.start(), server.start())
    assert (ups, seen("{{.State.Status}}")) == (1, "running")


async def test_somebody_elses_container_is_named_and_left_alone(bench: Bench) -> None:
    other = command("run", "-d", "--init", "--name", NAME, SLEEPER)
    server = bench.make()
    with pytest.raises(ConflictError, match=f"{NAME} is taken by .* not Sparkwell's") as caught:
        await server.start()
    assert f"docker rm -f {NAME}" in str(caught.value.hint)
    assert not bench.file().exists()
    bench.file().parent.mkdir()
    bench.file().write_text(server.render())  # as if an earlier start had been cut
    await server.stop()
    assert seen() == f"{other} running"
    assert not bench.file().exists()


async def test_a_users_compose_project_of_the_same_name_is_left_alone(bench: Bench) -> None:
    """The same project and the same service, but a container of another name."""
    file = bench.folder / "docker-compose.yml"
    file.write_text(f"services:\n  ollama:\n    image: {SLEEPER}\n    init: true\n")
    words = ["compose", "-p", OWN_PROJECT, "-f", str(file)]
    command(*words, "up", "-d")
    try:
        before = command(*words, "ps", "-q")
        server = bench.make()
        with pytest.raises(EnvironmentFault, match=f"another one in .* {OWN_PROJECT}"):
            await server.start()
        await server.stop()
        assert command(*words, "ps", "-q", "--status", "running") == before
    finally:
        command(*words, "down", "-t", "1")


async def test_another_installations_container_is_not_ours(bench: Bench) -> None:
    await bench.make("a").start()
    before = seen()
    with pytest.raises(ConflictError, match=str(bench.folder / "a")):
        await bench.make("b").start()
    await bench.make("b").stop()
    assert seen() == before


async def test_what_a_killed_daemon_left_is_taken_over_and_ended(bench: Bench) -> None:
    await bench.make().start()
    before = seen()
    await bench.make().start()
    assert seen() == before
    await bench.make().stop()
    assert (seen(), bench.file().exists()) == ("", False)


@pytest.mark.parametrize("case", ["ended", "other settings", "no file"])
async def test_one_of_ours_that_is_not_as_it_should_be_is_made_anew(
    bench: Bench, case: str
) -> None:
    await bench.make().start()
    before, port = seen("{{.Id}}"), free_port() if case == "other settings" else None
    if case == "ended":
        command("kill", NAME)
    if case == "no file":
        bench.file().unlink()
    await bench.make(port=port).start()
    assert seen("{{.Id}}") != before
    assert seen("{{.State.Status}}") == "running"


async def test_a_file_that_was_left_without_a_container_is_removed(bench: Bench) -> None:
    bench.file().parent.mkdir()
    bench.file().write_text("services: {}")
    await bench.make().stop()
    assert not bench.file().exists()


async def test_a_start_that_fails_leaves_nothing(bench: Bench) -> None:
    with pytest.raises(EnvironmentFault):
        await bench.make(image=f"{PROJECT}/there-is-none:1").start()
    taken = command("run", "-d", "--init", "-p", f"127.0.0.1:{bench.port}:1", SLEEPER)
    try:
        with pytest.raises(EnvironmentFault, match=f"Port {bench.port} of this machine is taken"):
            await bench.make().start()
    finally:
        remove_container(taken)
    assert (seen(), bench.file().exists()) == ("", False)


async def test_a_stop_waits_for_a_start_on_its_way(bench: Bench) -> None:
    server = bench.make()
    starting = asyncio.create_task(server.start())
    while not bench.file().exists():
        await asyncio.sleep(0.005)
    await server.stop()
    await starting
    assert (seen(), bench.file().exists()) == ("", False)
