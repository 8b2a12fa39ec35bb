"""The daemon's side of the guard: its floors, whom it may end, and what it has ended."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.supervisor.switching_bench import Bench as Switching
from tests.unit.supervisor.test_actor import until

from sparkwell.app.guard import guarded
from sparkwell.app.guard.guarded import Starts, is_wanted, limits_of, targets_of
from sparkwell.app.paths import Paths, find_paths
from sparkwell.app.settings.config import GuardSettings
from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.launch import ExitRecord, LaunchSpec, Running
from sparkwell.core.units import GIB
from sparkwell.guard.finding import Target
from sparkwell.guard.trips import Trip
from sparkwell.hardware.description import find_machine
from sparkwell.supervisor.box import State

SPARK, H100 = find_machine("dgx-spark"), find_machine("h100-80gb")
TRIP = Trip(1.0, "hard", "kill", None, None, "2 GiB were left", 2, (7,), {}, {"rows": []})


class Keeper:
    """A guard that is none. ``fault`` keeps it from hearing whom it may end."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.told: list[list[str]] = []
        self.tried = 0
        self.acts: asyncio.Queue[Trip] = asyncio.Queue()
        self.closed = False

    async def start(self) -> None:
        pass

    def tell(self, targets: Sequence[Target]) -> None:
        self.tried += 1
        if self.fault:
            raise self.fault
        self.told.append([each.instance for each in targets])

    async def trips(self) -> AsyncIterator[Trip]:
        while True:
            yield await self.acts.get()

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch) -> Keeper:
    keeper = Keeper()
    monkeypatch.setattr(guarded, "GuardKeeper", lambda *_args, **_more: keeper)
    monkeypatch.setattr(guarded, "FEED_S", 0.0)
    return keeper


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Switching]:
    bench = Switching()
    start = bench.driver.start

    async def started(spec: LaunchSpec) -> Running:  # this very process: it is really there
        return replace(await start(spec), pid=os.getpid(), start_ticks=7)

    monkeypatch.setattr(bench.driver, "start", started)
    yield bench
    await bench.supervisor.close()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return find_paths({"SPARKWELL_HOME": str(tmp_path)})


def run(
    bench: Switching, paths: Paths, *, enabled: bool = True
) -> AbstractAsyncContextManager[object]:
    settings = GuardSettings(enabled=enabled)
    return guarded.guarded(paths, settings, SPARK, bench.supervisor, bench.journal)


async def soon(condition: Callable[[], object]) -> None:
    """Threads take part."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


# ── settings ────────────────────────────────────────────────────────────────────────────────


def test_the_floors_are_the_settings_or_a_share_of_a_small_machine() -> None:
    limits = limits_of(GuardSettings(), SPARK)
    assert (limits.soft_floor_bytes, limits.hard_floor_bytes) == (8 * GIB, 4 * GIB)
    assert limits.sample_s == 0.25
    small = replace(SPARK, total_bytes=16 * GIB)
    limits = limits_of(GuardSettings(sample_ms=1000), small)
    assert (limits.soft_floor_bytes, limits.hard_floor_bytes) == (2 * GIB, 1 * GIB)
    assert limits.sample_s == 1.0


def test_it_is_wanted_where_engine_and_system_share_memory() -> None:
    assert is_wanted(GuardSettings(), SPARK)
    assert not is_wanted(GuardSettings(), H100)
    assert not is_wanted(GuardSettings(enabled=False), SPARK)


# ── its life ────────────────────────────────────────────────────────────────────────────────


async def test_where_none_is_wanted_there_is_none(
    bench: Switching, paths: Paths, keeper: Keeper
) -> None:
    async with run(bench, paths, enabled=False) as found:
        assert found is None
    assert not keeper.closed


async def test_it_is_let_go_of_in_the_end(bench: Switching, paths: Paths, keeper: Keeper) -> None:
    before = asyncio.all_tasks()
    async with run(bench, paths):
        await soon(lambda: keeper.told)
    assert keeper.closed
    assert asyncio.all_tasks() == before


# ── whom it may end ─────────────────────────────────────────────────────────────────────────


async def test_it_hears_of_each_change_once(bench: Switching, paths: Paths, keeper: Keeper) -> None:
    async with run(bench, paths):
        await soon(lambda: keeper.told == [[]])
        instance = await bench.ready("a")
        await soon(lambda: keeper.told[-1] == [instance])
        tried = keeper.tried
        for _ in range(20):
            await asyncio.sleep(0)
        assert keeper.tried == tried
        await bench.supervisor.down()
        await soon(lambda: keeper.told[-1] == [])


async def test_what_could_not_be_told_is_told_again(
    bench: Switching, paths: Paths, keeper: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that was full for a moment must not leave the guard without anybody to end."""
    async with run(bench, paths):
        await soon(lambda: keeper.told)
        keeper.fault = EnvironmentFault("Cannot write targets.json.")
        instance = await bench.ready("a")
        await soon(lambda: keeper.tried > 5)
        assert caplog.text.count("does not know what runs") == 1
        keeper.fault = None
        await soon(lambda: keeper.told[-1] == [instance])


async def test_a_mistake_of_ours_is_not_passed_over_in_silence(
    bench: Switching, paths: Paths, keeper: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    keeper.fault = ValueError("no such field")
    async with run(bench, paths):
        await soon(lambda: "left alone" in caplog.text)


async def test_targets_are_those_that_run_as_processes(bench: Switching) -> None:
    instance = await bench.ready("a")
    bench.up("c")  # nothing of it runs yet
    [target] = targets_of(bench.supervisor, Starts())
    assert (target.instance, target.model, target.pid) == (instance, "a", os.getpid())


async def test_one_that_could_not_be_ended_is_still_the_guard_s(
    bench: Switching, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stop(_instance: str, _grace_s: float | None = None) -> ExitRecord:
        raise EnvironmentFault("It did not end within 10 s.")

    instance = await bench.ready("a")
    with monkeypatch.context() as patched:
        patched.setattr(bench.driver, "stop", stop)
        await asyncio.wait_for(bench.supervisor.down("a"), 5)
    assert bench.supervisor.instances[0].lost
    assert [name for name, *_ in guarded.who_runs(bench.supervisor)] == [instance]
    assert [each.instance for each in targets_of(bench.supervisor, Starts())] == [instance]
    await bench.supervisor.down("a")
    assert targets_of(bench.supervisor, Starts()) == []


def test_when_a_start_began_is_said_once() -> None:
    """It orders the starts; told anew each time, it would change with the clocks' noise."""
    starts = Starts()
    assert starts.at("a", None) is None
    first = starts.at("a", 5.0)
    assert first is not None
    assert starts.at("a", 5.0) == first
    later = starts.at("a", 9.0)  # it was woken
    assert later == pytest.approx(first + 4.0, abs=0.1)
    assert (starts.at("b", 6.0) or 0) > first


# ── what it has done ────────────────────────────────────────────────────────────────────────


async def test_what_it_has_ended_fails_with_that_reason_and_does_not_come_back(
    bench: Switching, paths: Paths, keeper: Keeper
) -> None:
    instance = await bench.ready("a")
    async with run(bench, paths):
        keeper.acts.put_nowait(replace(TRIP, instance=instance, model="a"))
        await until(lambda: "guard.acted" in bench.kinds)
        await bench.driver.end(instance, code=None, signal=9)
        await until(lambda: bench.state("a") is State.FAILED)
    now = bench.supervisor.of("a")
    assert now is not None
    assert now.error == "the memory guard ended it: 2 GiB were left (hard floor)"
    assert bench.supervisor.box.comebacks == ()
    acted = [each for each in bench.journal.after(0) if each.kind == "guard.acted"]
    assert acted[0].data["trace"] == {"rows": []}
    assert (acted[0].model, acted[0].instance) == ("a", instance)


@pytest.mark.parametrize("instance", [None, "of-an-earlier-daemon"])
async def test_what_concerns_none_of_ours_is_told_all_the_same(
    bench: Switching, paths: Paths, keeper: Keeper, instance: str | None
) -> None:
    async with run(bench, paths):
        keeper.acts.put_nowait(replace(TRIP, instance=instance))
        await until(lambda: "guard.acted" in bench.kinds)
    assert "guard.tripped" not in bench.kinds
