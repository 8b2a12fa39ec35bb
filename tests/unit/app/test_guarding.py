"""The keeper of the guard: starts it, feeds it, hears from it, and lets go of it."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from sparkwell.app.guard.keeper import GuardKeeper, Limits, Target, Trip
from sparkwell.app.lock import held, is_held
from sparkwell.core.launch import LaunchSpec
from sparkwell.drivers.process import ProcessDriver
from sparkwell.guard import ending, files
from sparkwell.guard.finding import find_target

QUICK = Limits(sample_s=0.05, debounce_s=0.3, grace_s=0.5, recover_s=0.2, settle_s=1.0)


class Home:
    """A state folder, a made-up machine, and the keepers of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "guard"
        self.lock = folder / "daemon.lock"
        self.meminfo = folder / "meminfo"
        self.meminfo.touch()
        self.available(100)
        self.told: list[str] = []
        self.said: list[str] = []

    def available(self, gib: float) -> None:
        file = os.open(self.meminfo, os.O_WRONLY)
        os.pwrite(file, f"MemAvailable: {int(gib * 1024**2):>12} kB\n".encode(), 0)
        os.close(file)

    def keeper(self, **more: Any) -> GuardKeeper:
        return GuardKeeper(
            self.folder, QUICK, daemon_lock=self.lock, look_s=0.1,
            told=self.hear,
            options=("--meminfo", str(self.meminfo), "--pressure", "", "--linger-s", "30"), **more,
        )  # fmt: skip

    def hear(self, kind: str, message: str) -> None:
        self.told.append(kind)
        self.said.append(message)

    @property
    def lives(self) -> bool:
        return is_held(self.folder / files.LOCK)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    home = Home(tmp_path)
    yield home
    with contextlib.suppress(OSError):
        guard = json.loads((home.folder / files.GUARD).read_text())
        ending.send(guard["pid"], guard["start_ticks"], signal.SIGKILL)


@pytest.fixture
async def engine() -> AsyncIterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def target(process: subprocess.Popen[bytes], instance: str = "i") -> Target:
    return find_target(instance, "m", process.pid, ending.start_ticks(process.pid))


async def until(condition: Callable[[], object], patience_s: float = 15) -> None:
    async with asyncio.timeout(patience_s):
        while not condition():
            await asyncio.sleep(0.02)


async def first(keeper: GuardKeeper) -> Trip:
    """The first trip, taken note of."""
    async with asyncio.timeout(15):
        trips = keeper.trips()
        trip = await anext(trips)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await anext(trips)
    return trip


async def test_it_starts_a_guard_that_is_nobodys_child(home: Home) -> None:
    keeper = home.keeper()
    assert keeper.status()["running"] is False
    await keeper.start()
    status = keeper.status()
    assert status["running"] is True
    assert home.told == ["guard.started"]
    stat = Path(f"/proc/{status['pid']}/stat").read_text()
    assert stat.rpartition(")")[2].split()[1] != str(os.getpid())
    await keeper.close()
    assert not home.lives


async def test_a_trip_comes_from_a_real_guard_about_a_real_process(
    home: Home, engine: subprocess.Popen[bytes]
) -> None:
    keeper = home.keeper()
    await keeper.start()
    keeper.tell([target(engine)])
    home.available(3)
    trip = await first(keeper)
    assert (trip.kind, trip.action, trip.instance, trip.model) == ("hard", "kill", "i", "m")
    assert trip.signalled == (engine.pid,)
    assert abs(trip.at - time.time()) < 15
    assert trip.trace["rows"]
    assert engine.wait(5) == -signal.SIGKILL
    await keeper.close()
    assert not home.lives  # what it might have ended is gone


async def test_the_guard_outlives_the_daemon_while_an_engine_lives(
    home: Home, engine: subprocess.Popen[bytes]
) -> None:
    keeper = home.keeper()
    await keeper.start()
    keeper.tell([target(engine)])
    pid = keeper.status()["pid"]
    await keeper.close()
    assert home.lives
    home.available(3)  # nobody is there to hear it
    await until(lambda: engine.poll() is not None)
    await until((home.folder / files.TRIPS).exists)
    second = home.keeper()
    await second.start()
    assert second.status()["pid"] == pid
    assert (await first(second)).instance == "i"
    await second.close()


async def test_a_trip_is_told_once(home: Home) -> None:
    home.folder.mkdir()
    trip = {"at": 1.0, "kind": "soft", "action": "term", "instance": "i", "model": "m",
            "reason": "r", "signalled": [], "refused": {}, "trace": {}}  # fmt: skip
    files.append_line(str(home.folder), trip)
    assert (await first(home.keeper())).instance == "i"
    files.append_line(str(home.folder), trip | {"instance": "j"})
    assert (await first(home.keeper())).instance == "j"


async def test_a_guard_that_died_is_started_again(home: Home) -> None:
    keeper = home.keeper()
    await keeper.start()
    pid = keeper.status()["pid"]
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: home.told == ["guard.started", "guard.lost", "guard.started"])
    assert keeper.status()["pid"] not in (None, pid)
    await keeper.close()


async def test_a_second_keeper_finds_the_living_one(home: Home) -> None:
    one, two = home.keeper(), home.keeper()
    await one.start()
    await two.start()
    assert one.status()["pid"] == two.status()["pid"]
    assert home.told == ["guard.started"]
    await one.close()
    await two.close()


async def test_one_that_cannot_start_says_why_and_soon(home: Home) -> None:
    home.meminfo.unlink()
    began = time.monotonic()
    keeper = home.keeper()
    await keeper.start()
    assert time.monotonic() - began < 5
    assert home.told == ["guard.lost"]
    assert "No such file or directory" in home.said[0]
    await keeper.close()


async def test_one_that_could_not_start_is_tried_again(home: Home) -> None:
    """A disk that is full for a moment must not leave the machine without a guard for ever."""
    home.folder.touch()
    keeper = home.keeper()
    await keeper.start()
    await asyncio.sleep(0.3)
    assert home.told == ["guard.lost"]  # once, however often it fails
    assert "File exists" in home.said[0]
    home.folder.unlink()
    await until(lambda: home.told == ["guard.lost", "guard.started"])
    assert keeper.status()["running"] is True
    await keeper.close()


async def test_a_program_that_is_not_there_says_so(home: Home) -> None:
    keeper = home.keeper(python="/nowhere/python")
    await keeper.start()
    assert "No such file" in home.said[0]
    await keeper.close()


async def test_whom_it_cannot_end_is_told_once(
    home: Home, engine: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container that runs as root, under a user's daemon."""
    keeper = home.keeper()
    await keeper.start()
    mine, others = target(engine), target(engine, "others")
    keeper.tell([mine, others])
    assert keeper.status()["cannot_end"] == {}
    why = "not permitted: it belongs to user 0"
    monkeypatch.setattr(keeper, "_guard", lambda: {"cannot_end": {"others": why, "old": why}})
    assert keeper.status()["cannot_end"] == {"m": why}
    await until(lambda: len(home.told) > 1)
    await asyncio.sleep(0.3)
    assert home.told == ["guard.started", "guard.cannot_end"]
    assert home.said[1] == f"The memory guard cannot end m when memory runs out: {why}"
    engine.kill()
    engine.wait()
    assert keeper.status()["cannot_end"] == {}
    monkeypatch.undo()
    await keeper.close()


async def test_the_engine_of_a_shim_is_ended_and_the_shim_records_it(
    home: Home, tmp_path: Path
) -> None:
    driver = ProcessDriver(tmp_path / "i", short_root=tmp_path)
    argv = (sys.executable, "-S", "-c", "import time; time.sleep(60)")
    spec = LaunchSpec("one", "m", "e", "1", argv, driver.endpoint("one"))
    running = await driver.start(spec)
    found = find_target("one", "m", running.pid, running.start_ticks)
    assert found.keeper not in (None, running.pid)
    keeper = home.keeper()
    await keeper.start()
    keeper.tell([found])
    home.available(3)
    async with asyncio.timeout(10):
        record = await driver.wait("one")
    assert (record.signal, record.requested) == (signal.SIGKILL, False)
    await keeper.close()


async def test_while_the_daemon_holds_its_lock_the_guard_stays(home: Home) -> None:
    with held(home.lock):
        keeper = home.keeper()
        await keeper.start()
        await asyncio.sleep(0.5)
        assert home.lives
        await keeper.close()
