"""The daemon's own parts: one at a time, who is in the way, and in which order it begins."""

import asyncio
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from sparkwell.admin.api import UpBody
from sparkwell.app.daemon import process as daemon_module
from sparkwell.app.daemon.host import Host
from sparkwell.app.daemon.process import Daemon
from sparkwell.app.daemon.supervising import new_id
from sparkwell.app.lock import held
from sparkwell.app.ollama.server import OllamaServer
from sparkwell.app.paths import Paths, find_paths
from sparkwell.app.settings.config import GatewaySettings, Settings
from sparkwell.catalog import load_catalog
from sparkwell.core.errors import ConflictError, EnvironmentFault, SparkwellError
from sparkwell.core.launch import Running
from sparkwell.doctor.ports import Holder, holder
from sparkwell.drivers.routing import RoutingDriver
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.adoption import Earlier


@pytest.fixture
def paths() -> Iterator[Paths]:
    with tempfile.TemporaryDirectory(prefix="sw") as folder:  # sockets need short paths
        yield find_paths({"SPARKWELL_HOME": folder})


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return port_of(server)


# ── one daemon ──────────────────────────────────────────────────────────────────────────────


def test_a_second_holder_is_told_who_the_first_one_is(tmp_path: Path) -> None:
    lock = tmp_path / "daemon.lock"
    with held(lock), pytest.raises(ConflictError) as caught, held(lock):
        pytest.fail("two hold the lock")
    assert caught.value.message == (
        f"A daemon is already running for {tmp_path} (process {os.getpid()})."
    )
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600


def test_after_the_first_one_the_lock_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "daemon.lock"
    lock.write_text("999999999 and what a longer number left behind")
    for _ in range(2):
        with held(lock):
            assert lock.read_text() == str(os.getpid())


def test_the_lock_is_given_back_after_a_mistake(tmp_path: Path) -> None:
    lock = tmp_path / "daemon.lock"
    with pytest.raises(ValueError, match="oops"), held(lock):
        raise ValueError("oops")
    with held(lock):
        pass


def test_ids_are_not_used_twice() -> None:
    ids = {new_id("demo-qwen3") for _ in range(100)}
    assert len(ids) == 100
    assert all(one.startswith("demo-qwen3-") for one in ids)


# ── ports ───────────────────────────────────────────────────────────────────────────────────


# ── from begin to end ───────────────────────────────────────────────────────────────────────


def daemon(paths: Paths, port: int) -> Daemon:
    return Daemon(paths, Settings(gateway=GatewaySettings(port=port)), load_catalog())


async def test_a_taken_port_is_said_before_anything_has_happened(
    paths: Paths, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def adopt(_self: Supervisor) -> None:
        pytest.fail("nothing may be touched")

    monkeypatch.setattr(Supervisor, "adopt", adopt)
    with pytest.raises(EnvironmentFault) as caught:
        await daemon(paths, port_of(listener)).run()
    assert f"cannot listen on 127.0.0.1:{port_of(listener)}: " in caught.value.message
    assert f"(process {os.getpid()}) has it" in caught.value.message
    assert "--port" in (caught.value.hint or "")
    assert not paths.socket.exists()


async def test_who_asks_while_it_takes_over_is_told_so_and_changes_nothing(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An `up` in between would start a second engine beside the first."""
    order: list[str] = []
    taken_over = asyncio.Event()

    async def adopt(_self: Supervisor, _earlier: Earlier) -> None:
        await taken_over.wait()
        order.append("taken over")

    async def up(_self: Host, _body: UpBody) -> dict[str, object]:
        order.append("up")
        return {}

    monkeypatch.setattr(Supervisor, "adopt", adopt)
    monkeypatch.setattr(Host, "up", up)
    running = asyncio.create_task(daemon(paths, free_port()).run())
    async with asyncio.timeout(10), client(paths) as control:
        while not await answers(control):
            assert not running.done()
            await asyncio.sleep(0.005)
        assert (await status_of(control))["recovering"] is True
        asking = asyncio.create_task(control.post("http://daemon/admin/up", json={}))
        await asyncio.sleep(0.05)
        assert order == []
        taken_over.set()
        async with await asking as response:
            assert response.status == 200
        assert order == ["taken over", "up"]
        assert (await status_of(control))["recovering"] is False
        async with control.post("http://daemon/admin/shutdown", json={}):
            await running


async def test_a_daemon_answers_and_ends_when_asked_to(paths: Paths) -> None:
    port = free_port()
    paths.make()
    paths.socket.touch()  # left by a daemon that was killed
    running = asyncio.create_task(daemon(paths, port).run())
    async with asyncio.timeout(10), client(paths) as control:
        while not await answers(control):
            assert not running.done()
            await asyncio.sleep(0.005)
        assert stat.S_IMODE(paths.socket.stat().st_mode) == 0o600
        async with control.get("http://daemon/health") as response:
            assert response.status == 404  # each socket has its own routes
        async with (
            aiohttp.ClientSession() as public,
            public.get(f"http://127.0.0.1:{port}/health") as response,
        ):
            assert await response.json() == {
                "status": "ok",
                "state": "idle",
                "model": None,
                "models": {},
            }
        async with control.post("http://daemon/admin/shutdown", json={}) as response:
            assert response.status == 200
        await running
    assert holder(port) == Holder()


async def test_a_daemon_whose_keys_are_lost_says_so_where_people_look(
    paths: Paths, caplog: pytest.LogCaptureFixture
) -> None:
    paths.make()
    paths.keys_marker.touch()  # another command has put the broken store aside before
    running = asyncio.create_task(daemon(paths, free_port()).run())
    async with asyncio.timeout(10), client(paths) as control:
        while not await answers(control):
            assert not running.done()
            await asyncio.sleep(0.005)
        status = await status_of(control)
        assert str(paths.keys_marker) in str(status["keys_lost"])
        findings = status["findings"]
        assert isinstance(findings, list)
        assert "keys-lost" in [each["id"] for each in findings]
        async with control.post("http://daemon/admin/shutdown", json={}):
            await running
    (said,) = [each for each in caplog.records if each.__dict__.get("action") == "key.lost"]
    assert said.levelname == "WARNING"
    assert "sparkwell keys reset --yes" in said.getMessage()


@pytest.mark.parametrize("stop_engines", [True, False])
async def test_ollamas_container_ends_with_the_engines(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, stop_engines: bool
) -> None:
    asked: list[str] = []

    async def down(_self: Supervisor, _model: str | None = None) -> list[object]:
        asked.append("engines")
        return []

    async def stop(_self: OllamaServer) -> None:
        asked.append("server")

    monkeypatch.setattr(Supervisor, "down", down)
    monkeypatch.setattr(OllamaServer, "stop", stop)
    one = daemon(paths, free_port())
    running = asyncio.create_task(one.run())
    async with asyncio.timeout(10), client(paths) as control:
        while not await answers(control):
            assert not running.done()
            await asyncio.sleep(0.005)
        one._end(stop_engines)
        await running
    assert asked == (["engines", "server"] if stop_engines else [])


def client(paths: Paths) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(paths.socket)))


async def status_of(control: aiohttp.ClientSession) -> dict[str, object]:
    async with control.get("http://daemon/admin/status") as response:
        found: dict[str, object] = await response.json()
        return found


async def answers(control: aiohttp.ClientSession) -> bool:
    try:
        async with control.get("http://daemon/admin/status") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


class Shaky(RoutingDriver):
    """A driver that cannot tell what runs for the first few times."""

    def __init__(self, silent: int) -> None:
        super().__init__({})
        self.silent = silent
        self.looks = 0

    async def look(self) -> tuple[list[Running], list[SparkwellError]]:
        self.looks += 1
        return [], [EnvironmentFault("no Docker")] if self.looks <= self.silent else []


@pytest.mark.parametrize(("silent", "adopted"), [(0, 0), (1, 1), (3, 1)])
async def test_what_could_not_be_looked_at_is_taken_over_later(
    silent: int, adopted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_module, "LOOK_AGAIN_S", 0.0)
    times: list[int] = []

    async def adopt() -> None:
        times.append(1)

    every = Shaky(silent)
    await daemon_module.look_again(adopt, every)
    assert (len(times), every.looks) == (adopted, silent + 1)


# ── what is refused ─────────────────────────────────────────────────────────────────────────


async def test_an_address_of_another_machine_is_said_before_keys_are_spoken_of(
    paths: Paths,
) -> None:
    settings = Settings(gateway=GatewaySettings(host="192.0.2.9"))
    with pytest.raises(SparkwellError, match="is not an address of this machine"):
        await Daemon(paths, settings, load_catalog()).run()
