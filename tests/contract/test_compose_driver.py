"""What the compose driver promises beyond the contract: real containers, and what goes wrong."""

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import sparkwell
from sparkwell.app.launching.presence import Presence
from sparkwell.app.quickly import Quickly
from sparkwell.core.errors import ConflictError, EnvironmentFault
from sparkwell.core.launch import LaunchSpec, Mount, Running
from sparkwell.core.protocols import Driver
from sparkwell.drivers.compose import ComposeDriver
from sparkwell.drivers.compose import driver as compose_driver
from sparkwell.drivers.compose import images as docker_images
from sparkwell.drivers.compose.faults import DockerUnreachableError
from sparkwell.drivers.compose.folder import ContainerFolder
from sparkwell.drivers.compose.lifetime import Home
from sparkwell.drivers.compose.starting import clear_the_way
from sparkwell.drivers.ollama.plan import Kept
from sparkwell.drivers.process.records import spec_to_json

from .conftest import Box, box_of, eventually, pid_of
from .docker_fixtures import PrivateDocker, Proxy, docker, private_docker
from .kinds import COMPOSE, PROJECT

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker")]
DAEMON = Path(__file__).parent / "programs" / "container_daemon.py"
SOCKET = "/var/run/docker.sock"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "i"


@pytest.fixture
async def box(root: Path, short_root: Path) -> AsyncIterator[Box]:
    async with box_of(COMPOSE, root, short_root) as box:
        yield box


def name_of(instance: str) -> str:
    return f"{PROJECT}-{instance}"


def containers(root: Path) -> list[str]:
    """The containers of a root, whatever their state."""
    said = docker("ps", "-a", "--filter", f"label=ai.sparkwell.home={root}", "--format={{.Names}}")
    return said.split()


def changed(spec: LaunchSpec, **container: object) -> LaunchSpec:
    assert spec.container is not None
    return dataclasses.replace(
        spec, container=dataclasses.replace(spec.container, **container)  # type: ignore[arg-type]
    )  # fmt: skip


async def has_ended(name: str) -> None:
    """Wait until a container has ended by itself. Nobody may follow it: a follower settles it."""
    await eventually(lambda: docker("inspect", "-f", "{{.State.Status}}", name) == "exited")


# What a start makes, and what is left after the end.


async def test_a_container_is_one_of_ours_and_no_secret_is_on_it(
    box: Box, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_TopSecret")
    running = await box.start()
    instance = running.spec.instance
    (found,) = json.loads(docker("inspect", name_of(instance)))
    labels = found["Config"]["Labels"]
    assert labels["com.docker.compose.project"] == PROJECT
    assert {labels[f"ai.sparkwell.{key}"] for key in ("instance", "model", "home")} == {
        instance, "m", str(root)
    }  # fmt: skip
    ports = found["NetworkSettings"]["Ports"]["8000/tcp"]
    assert ports == [{"HostIp": "127.0.0.1", "HostPort": str(running.spec.endpoint.port)}]
    assert found["HostConfig"]["RestartPolicy"]["Name"] == "no"
    await box.driver.stop(instance)
    texts = [json.dumps(found), *(path.read_text() for path in (root / instance).iterdir())]
    assert not [text for text in texts if "hf_TopSecret" in text]


async def test_what_ended_at_once_is_kept_after_its_container_is_gone(box: Box, root: Path) -> None:
    said = b"ValueError: no such model\n".hex()
    running = await box.start("--say-hex", said, "--exit-after", "0", "--code", "5", ready=False)
    instance = running.spec.instance
    record = await box.driver.wait(instance)
    assert (record.code, record.last_lines) == (5, ("ready", "ValueError: no such model"))
    assert containers(root) == []
    assert await box.lines(instance) == ["ready", "ValueError: no such model"]
    assert await box.driver.written(instance) == (["ready", "ValueError: no such model"], [])
    assert [spec.instance for spec, _ in box.make().ended()] == [instance]
    modes = {path.name: path.stat().st_mode & 0o077 for path in (root / instance).iterdir()}
    assert modes == dict.fromkeys(
        (".lock", "compose.yaml", "engine.log", "exit.json", "spec.json"), 0
    )


async def test_the_output_so_far_is_had_while_it_runs(box: Box) -> None:
    running = await box.start("--spam-lines", "2")
    await box.line(running.spec.instance, f"{1:09d} {'x' * 89}")
    lines, rest = await box.driver.written(running.spec.instance)
    assert (lines[0], len(lines), rest) == ("ready", 3, [])


async def test_pruning_keeps_the_latest_of_each_model(box: Box, root: Path) -> None:
    ended = []
    for model in ("a", "a", "b"):
        running = await box.start("--exit-after", "0", model=model, ready=False)
        await box.driver.wait(running.spec.instance)
        ended.append(running.spec.instance)
    live = await box.start(model="a")
    assert box.driver.prune(1) == [ended[0]]
    assert not (root / ended[0]).exists()
    assert not box.driver.knows(ended[0])
    assert await box.driver.running() == [live]


async def test_a_named_volume_is_made(box: Box) -> None:
    spec = box.spec()
    mounts = (*(spec.container.mounts if spec.container else ()), Mount("cache", "/cache"))
    await box.driver.start(changed(spec, mounts=mounts))
    try:
        names = docker("volume", "ls", "-q").split()
        assert f"{PROJECT}_cache" in names
    finally:
        await box.driver.stop(spec.instance)
        docker("volume", "rm", f"{PROJECT}_cache")


# Ports.


async def test_ports_are_given_once(box: Box) -> None:
    ports = [box.driver.endpoint(f"{box.spec().instance}").port for _ in range(20)]
    assert len(set(ports)) == 20
    running = await box.start()
    assert box.make().endpoint(running.spec.instance) == running.spec.endpoint


async def test_a_port_that_was_taken_meanwhile_is_named(box: Box, root: Path) -> None:
    spec = box.spec()
    with socket.socket() as other:
        other.bind(("127.0.0.1", spec.endpoint.port))
        other.listen()
        with pytest.raises(EnvironmentFault, match=f"Port {spec.endpoint.port} of this machine"):
            await box.driver.start(spec)
    assert containers(root) == []
    assert not (root / spec.instance).exists()


async def test_a_port_that_is_taken_at_the_last_moment_is_named(
    box: Box, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All was looked at and the container is being made: Docker itself finds the port taken.

    The next start has another port, and is not in the way of what was left of this one.
    """
    spec = box.spec()
    with socket.socket() as other:

        async def taken_meanwhile(home: Home, wanted: LaunchSpec) -> None:
            await clear_the_way(home, wanted)
            other.bind(("127.0.0.1", wanted.endpoint.port))
            other.listen()

        monkeypatch.setattr(compose_driver, "clear_the_way", taken_meanwhile)
        with pytest.raises(EnvironmentFault) as caught:
            await box.driver.start(spec)
        monkeypatch.undo()
        port = spec.endpoint.port
        assert caught.value.message == f"Port {port} of this machine is taken."
        assert f"ss -ltnp 'sport = :{port}'" in str(caught.value.hint)
        assert containers(root) == []
        assert networks_of(spec.instance) == []
        assert not (root / spec.instance).exists()
        assert await box.driver.running() == []
        second = await box.start()
        assert second.spec.endpoint.port != port
        assert await box.driver.running() == [second]


def networks_of(instance: str) -> list[str]:
    """Networks that were made for one container alone."""
    return [
        each for each in docker("network", "ls", "--format={{.Name}}").split() if instance in each
    ]


async def test_an_image_is_seen_to_be_here_or_not(box: Box) -> None:
    """Asked for requests before others leave, within the moment that an event loop may be held."""
    container = box.spec().container
    assert container is not None
    asked = Presence(os.environ, 1, Kept({}), Quickly(limit_s=5.0))
    assert asked.image(container.image) is True
    assert asked.image("sparkwell-test/there-is-none:1") is False
    away = Presence({**os.environ, "DOCKER_HOST": "unix:///nowhere"}, 1, Kept({}), None)
    assert away.image(container.image) is None


# The container's name.


@contextlib.contextmanager
def a_strangers(name: str) -> Iterator[None]:
    docker("run", "-d", "--network=none", "--name", name, COMPOSE_IMAGE, "sleep", "100")
    try:
        yield
    finally:
        docker("rm", "-f", name)


COMPOSE_IMAGE = COMPOSE.container("x").image  # type: ignore[union-attr]


async def test_a_name_that_is_somebody_elses_is_left_alone(box: Box, root: Path) -> None:
    spec = box.spec()
    with a_strangers(name_of(spec.instance)):
        with pytest.raises(ConflictError, match="not Sparkwell's") as caught:
            await box.driver.start(spec)
        assert COMPOSE_IMAGE in caught.value.message
        assert f"docker stop {name_of(spec.instance)}" in str(caught.value.hint)
        assert docker("inspect", "-f", "{{.State.Status}}", name_of(spec.instance)) == "running"
        assert not (root / spec.instance).exists()


async def test_a_name_that_a_live_one_of_ours_has_is_a_conflict(box: Box) -> None:
    running = await box.start()
    spec = changed(box.spec(), name=name_of(running.spec.instance))
    with pytest.raises(ConflictError, match=f"as instance {running.spec.instance}"):
        await box.driver.start(spec)
    assert await box.driver.running() == [running]


async def test_an_ended_one_of_ours_gives_up_its_name(box: Box) -> None:
    first = await box.start("--exit-after", "0", "--code", "4", ready=False)
    name = name_of(first.spec.instance)
    await has_ended(name)
    spec = changed(box.spec(), name=name)
    box.instances.append(first.spec.instance)
    running = await box.driver.start(spec)
    ((ended, record),) = box.driver.ended()
    assert (ended, record.code, record.last_lines) == (first.spec, 4, ("ready",))
    assert await box.driver.running() == [running]
    await box.driver.stop(spec.instance)


async def test_another_installations_containers_are_not_ours(box: Box, tmp_path: Path) -> None:
    running = await box.start()
    other = ComposeDriver(tmp_path / "other", project=PROJECT)
    assert await other.running() == []
    spec = changed(box.spec(), name=name_of(running.spec.instance))
    with pytest.raises(ConflictError, match=f"whose state is in {tmp_path / 'i'}"):
        await other.start(spec)
    assert await box.driver.running() == [running]


# What is missing.


async def test_an_image_that_is_not_here_is_named(box: Box, root: Path) -> None:
    spec = changed(box.spec(), image="sparkwell-test/none:1")
    with pytest.raises(EnvironmentFault, match="sparkwell-test/none:1") as caught:
        await box.driver.start(spec)
    assert caught.value.hint == "Fetch it with `docker pull sparkwell-test/none:1`."
    assert not (root / spec.instance).exists()


async def test_a_folder_that_is_not_there_is_named_and_not_made(box: Box, tmp_path: Path) -> None:
    missing = tmp_path / "opt" / "hf"
    spec = changed(box.spec(), mounts=(Mount(str(missing), "/opt/hf"),))
    with pytest.raises(EnvironmentFault, match="as /opt/hf, cannot be used: No such file"):
        await box.driver.start(spec)
    assert not missing.exists()


async def test_a_disk_for_reading_only_is_named(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs

    def read_only(path: str | Path) -> os.statvfs_result:
        found = list(real(path))
        found[8] |= os.ST_RDONLY
        return os.statvfs_result(found)

    monkeypatch.setattr(os, "statvfs", read_only)
    spec = changed(box.spec(), mounts=(Mount("/opt", "/opt/hf"),))
    with pytest.raises(EnvironmentFault, match="mounted read-only"):
        await box.driver.start(spec)


async def test_a_machine_without_nvidias_toolkit_is_told_of_it(box: Box, root: Path) -> None:
    if "nvidia" in docker("info", "--format", "{{json .Runtimes}}"):
        pytest.skip("this machine has the NVIDIA runtime")
    spec = changed(box.spec(), gpus=True)
    with pytest.raises(EnvironmentFault, match="GPU") as caught:
        await box.driver.start(spec)
    assert "NVIDIA Container Toolkit" in str(caught.value.hint)
    assert containers(root) == []


# No Docker.


def elsewhere(root: Path, host: str, path: str = os.environ["PATH"]) -> ComposeDriver:
    environ = {"PATH": path, "DOCKER_HOST": host}
    return ComposeDriver(root, project=PROJECT, environ=environ, patience_s=0.5)


@pytest.mark.parametrize(
    ("host", "path", "message"),
    [
        ("unix:///nowhere.sock", "/nowhere", "Docker is not installed"),
        ("unix:///nowhere.sock", os.environ["PATH"], "Docker does not answer"),
        ("tcp://127.0.0.1:1", os.environ["PATH"], "Docker does not answer"),
        ("nonsense", os.environ["PATH"], "Docker does not answer"),
    ],
)
async def test_without_docker_everything_else_goes_on(
    box: Box, root: Path, caplog: pytest.LogCaptureFixture, host: str, path: str, message: str
) -> None:
    running = await box.start("--exit-after", "0", ready=False)
    await box.driver.wait(running.spec.instance)
    driver = elsewhere(root, host, path)
    assert await driver.running() == []
    assert caplog.records == []
    assert [spec for spec, _ in driver.ended()] == [running.spec]
    assert [line async for line in driver.follow(running.spec.instance)] == ["ready"]
    spec = box.spec()
    with pytest.raises(DockerUnreachableError, match=message):
        await driver.start(spec)
    assert not driver.knows(spec.instance)


async def test_a_docker_without_its_command_is_told(box: Box, root: Path) -> None:
    spec = box.spec()
    with pytest.raises(EnvironmentFault, match="The command docker is not installed"):
        await elsewhere(root, f"unix://{SOCKET}", "/nowhere").start(spec)
    assert not (root / spec.instance).exists()


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Be a user without rights, as far as files and sockets go."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_user_who_may_not_use_docker_is_told_how_to(short_root: Path) -> None:
    address = short_root / "d.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(address))
        server.listen()
        address.chmod(0)
        with nobody(), pytest.raises(DockerUnreachableError, match="may not use") as caught:
            await docker_images.is_present("x", environ={"DOCKER_HOST": f"unix://{address}"})
    assert "usermod -aG docker" in str(caught.value.hint)


async def test_waiting_gives_up_when_docker_stays_silent(box: Box, root: Path) -> None:
    running = await box.start()
    silent = elsewhere(root, "unix:///nowhere.sock")
    for work in (silent.wait, silent.stop):
        with pytest.raises(DockerUnreachableError):
            await work(running.spec.instance)
    with pytest.raises(DockerUnreachableError, match=f"Whether {running.spec.model} still runs"):
        await silent.running()
    with pytest.raises(DockerUnreachableError):
        _ = [line async for line in silent.follow(running.spec.instance)]
    assert await box.driver.running() == [running]


# Docker drops out.


@pytest.fixture
async def proxy(short_root: Path) -> AsyncIterator[Proxy]:
    proxy = Proxy(short_root / "p.sock", SOCKET)
    async with proxy.open():
        yield proxy


async def test_nothing_is_lost_or_said_twice_when_the_connection_breaks(
    box: Box, root: Path, proxy: Proxy
) -> None:
    driver = ComposeDriver(root, project=PROJECT, environ=proxy.environ)
    running = await box.start("--spam-lines", "60000", "--exit-after", "1", ready=False)
    waiting = asyncio.create_task(driver.wait(running.spec.instance))
    numbers = []
    async for line in driver.follow(running.spec.instance):
        if line != "ready":
            numbers.append(int(line[:9]))
        if len(numbers) in (10, 15_000, 15_001, 40_000):
            proxy.cut()
    assert numbers == list(range(60_000))
    assert (await waiting).code == 0
    assert proxy.connections >= 6


async def test_who_follows_from_now_on_gets_no_more_after_a_cut(
    box: Box, root: Path, proxy: Proxy
) -> None:
    driver = ComposeDriver(root, project=PROJECT, environ=proxy.environ)
    running = await box.start("--tick", "0.02", "--exit-after", "1.2")
    lines = driver.follow(running.spec.instance, from_start=False)
    found = []
    async for line in lines:
        found.append(line)
        if len(found) in (5, 20):
            proxy.cut()
    numbers = [int(line.split()[1]) for line in found]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(numbers) > 30


@pytest.fixture
def private(short_root: Path) -> Iterator[PrivateDocker]:
    if os.geteuid():
        pytest.skip("a dockerd of one's own needs root")
    folder = short_root / "docker"
    folder.mkdir()
    with private_docker(folder) as found:
        found.add_image()
        yield found


def private_driver(private: PrivateDocker, root: Path, patience_s: float = 60) -> ComposeDriver:
    return ComposeDriver(root, project=PROJECT, environ=private.environ, patience_s=patience_s)


def private_spec(box: Box, private: PrivateDocker, *flags: str) -> LaunchSpec:
    spec = box.spec(*flags)
    return dataclasses.replace(spec, container=private.container(spec.instance))


async def test_the_end_is_seen_when_docker_restarts(
    box: Box, root: Path, private: PrivateDocker
) -> None:
    """Without live-restore its containers end with it, by a SIGTERM."""
    for number in (signal.SIGKILL, signal.SIGTERM):
        driver = private_driver(private, root)
        running = await driver.start(private_spec(box, private, "--exit-on-sigterm", "3"))
        instance = running.spec.instance
        waiting = asyncio.create_task(driver.wait(instance))
        following = asyncio.create_task(lines_of(driver, instance))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(private.end, number)
        with pytest.raises(DockerUnreachableError):
            await private_driver(private, root).running()
        await asyncio.to_thread(private.start)
        record = await waiting
        assert (record.code, record.requested, record.last_lines) == (3, False, ("ready",))
        assert await following == ["ready"]
        assert await driver.running() == []


async def lines_of(driver: Driver, instance: str) -> list[str]:
    async with asyncio.timeout(60):
        return [line async for line in driver.follow(instance)]


@pytest.mark.parametrize("delay_s", [0.02, 0.15, 0.3])
async def test_a_docker_that_dies_in_mid_start_leaves_nothing(
    box: Box, root: Path, private: PrivateDocker, delay_s: float
) -> None:
    driver = private_driver(private, root)
    spec = private_spec(box, private)
    starting = asyncio.create_task(driver.start(spec))
    await asyncio.sleep(delay_s)
    private.end(signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(EnvironmentFault):
        await starting
    assert time.monotonic() - began < 15
    await asyncio.to_thread(private.start)
    assert await private_driver(private, root).running() == []
    assert docker("ps", "-aq", host=private.host) == ""
    assert not driver.knows(spec.instance)


# The daemon is cancelled or killed.


@pytest.mark.parametrize("delay_s", [0, 0.01, 0.05, 0.1, 0.2, 0.4])
async def test_a_cancelled_start_leaves_nothing(box: Box, root: Path, delay_s: float) -> None:
    spec = box.spec("--children", "1")
    starting = asyncio.create_task(box.driver.start(spec))
    await asyncio.sleep(delay_s)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert box.tree(spec.instance) == []
    assert await box.driver.running() == []
    assert containers(root) == []
    assert not (root / spec.instance).exists()


def daemon(root: Path, spec: LaunchSpec) -> subprocess.Popen[bytes]:
    source = str(Path(sparkwell.__file__).parent.parent)
    return subprocess.Popen(
        [sys.executable, str(DAEMON), str(root), PROJECT, json.dumps(spec_to_json(spec))],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": source},
    )


@pytest.mark.parametrize("delay_s", [0, 0.05, 0.15, 0.3, 0.6])
async def test_a_daemon_killed_at_any_moment_leaves_nothing_unknown(
    box: Box, root: Path, delay_s: float
) -> None:
    """Also when `docker compose` outlives it: the lock says that a start is under way."""
    spec = box.spec("--children", "1")
    with daemon(root, spec) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"starting\n"
        await asyncio.sleep(delay_s)
        process.kill()
    found = await box.driver.running()
    if found:
        assert [running.spec for running in found] == [spec]
        await box.line(spec.instance, "ready")
        await box.driver.stop(spec.instance)
    assert box.tree(spec.instance) == []
    assert containers(root) == []


async def test_two_starts_of_one_id_at_once_start_it_once(box: Box) -> None:
    spec = box.spec()
    results = await asyncio.gather(
        *(box.make().start(spec) for _ in range(3)), return_exceptions=True
    )
    kinds = sorted(type(result).__name__ for result in results)
    assert kinds == ["ConflictError", "ConflictError", "Running"]
    assert len(box.tree(spec.instance)) == 1


async def test_an_end_that_nobody_saw_is_recorded_later(box: Box, root: Path) -> None:
    running = await box.start("--exit-after", "0", "--code", "6", ready=False)
    instance = running.spec.instance
    await has_ended(name_of(instance))
    (root / instance / "engine.log").write_text("half of it, as a killed daemon leaves it")
    fresh = box.make()
    assert await fresh.running() == []
    ((spec, record),) = fresh.ended()
    assert (spec, record.code, record.last_lines) == (running.spec, 6, ("ready",))
    assert containers(root) == []


async def test_a_container_whose_end_is_on_record_is_removed(box: Box, root: Path) -> None:
    running = await box.start("--exit-after", "0", ready=False)
    await has_ended(name_of(running.spec.instance))
    record = {"code": 0, "requested": False, "ended_at": 1.0}
    (root / running.spec.instance / "exit.json").write_text(json.dumps(record))
    assert await box.driver.running() == []
    assert containers(root) == []


async def test_an_end_that_cannot_be_written_down_is_tried_again(
    box: Box, root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gone = await box.start("--exit-after", "0", ready=False)
    live = await box.start()
    await has_ended(name_of(gone.spec.instance))

    def refuse(*_: object) -> None:
        raise EnvironmentFault("No space left on device.")

    with monkeypatch.context() as full:
        full.setattr(ContainerFolder, "write_exit", refuse)
        assert await box.driver.running() == [live]
        assert "No space left" in caplog.text
        assert len(containers(root)) == 2
    assert await box.driver.running() == [live]
    assert [spec for spec, _ in box.driver.ended()] == [gone.spec]


async def test_drivers_settle_an_end_together(box: Box, root: Path) -> None:
    running = await box.start("--spam-lines", "20000", "--exit-after", "0", ready=False)
    drivers = [box.make() for _ in range(5)]
    work = [driver.wait(running.spec.instance) for driver in drivers]
    records = await asyncio.gather(*work)
    assert len(set(records)) == 1
    assert records[0].last_lines[-1].startswith("000019999 ")
    assert containers(root) == []


# Others do something to it.


async def test_a_container_that_somebody_removes_has_ended(box: Box) -> None:
    running = await box.start()
    waiting = asyncio.create_task(box.driver.wait(running.spec.instance))
    following = asyncio.create_task(box.lines(running.spec.instance))
    await asyncio.sleep(0.2)
    docker("rm", "-f", name_of(running.spec.instance))
    record = await waiting
    assert (record.code, record.signal, record.requested) == (None, None, False)
    assert (await following)[:1] == ["ready"]


async def test_a_container_that_somebody_stops_was_not_stopped_by_us(box: Box) -> None:
    running = await box.start("--exit-on-sigterm", "9")
    docker("stop", name_of(running.spec.instance))
    record = await box.driver.wait(running.spec.instance)
    assert (record.code, record.requested) == (9, False)


async def test_a_paused_container_is_ended_all_the_same(box: Box) -> None:
    running = await box.start()
    docker("pause", name_of(running.spec.instance))
    assert await box.driver.running() == [running]
    record = await box.driver.stop(running.spec.instance, grace_s=1)
    assert record.requested
    assert box.tree(running.spec.instance) == []


async def test_a_container_without_records_is_told_of_and_left_alone(
    box: Box, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running = await box.start()
    name = name_of(running.spec.instance)
    (root / running.spec.instance).rename(root.parent / "away")
    for _ in range(2):
        assert await box.driver.running() == []
    assert [f"docker rm -f {name}" in record.message for record in caplog.records] == [True]
    assert box.tree(running.spec.instance) == [pid_of(running)]
    docker("kill", name)
    assert await box.driver.running() == []
    assert containers(root) == []


async def test_a_damaged_record_is_no_instance(box: Box, root: Path) -> None:
    running = await box.start()
    (root / running.spec.instance / "spec.json").write_text('{"instance": 5}')
    assert await box.driver.running() == []
    record = await box.driver.stop(running.spec.instance, grace_s=5)
    assert record.requested


def identity(running: Running) -> tuple[int, int]:
    assert running.start_ticks is not None
    return pid_of(running), running.start_ticks


async def test_the_pid_is_the_engines_own_on_this_machine(box: Box) -> None:
    running = await box.start("--children", "2", "--double-fork")
    pid, ticks = identity(running)
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    assert command.startswith(COMPOSE.python.encode() + b"\0")
    assert int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]) == ticks
