"""The loop: what a round finds, what is stored of it, who hears of it; and what goes wrong."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import pytest
from tests.unit.monitor.engines import READERS, Engine, answer, serving

from sparkwell.hardware.samples import GpuSample, MachineSample
from sparkwell.monitor import connections, scraping
from sparkwell.monitor import monitor as module
from sparkwell.monitor.monitor import Monitor
from sparkwell.monitor.overview import GatewayCounts, Overview, Target, points_of, power_w
from sparkwell.monitor.readings import Reading
from sparkwell.monitor.speed import Planned
from sparkwell.store.series import Series
from sparkwell.store.series_lines import Lines
from sparkwell.store.series_names import ENGINE_SERIES, MACHINE, MACHINE_SERIES, Point, Source

SAMPLE = MachineSample(
    total_bytes=128, available_bytes=64, swap_used_bytes=1, memory_stalled=0.1, cpu_used=0.5,
    gpus=(GpuSample(used=0.9, power_w=50.0, temperature_c=60.0, used_bytes=7),),
)  # fmt: skip


class Kept:
    """Remembers what was to be stored."""

    def __init__(self) -> None:
        self.rounds: list[tuple[float, Sequence[Point]]] = []
        self.hook: Callable[[], None] = lambda: None

    def add(self, at: float, points: Sequence[Point]) -> None:
        self.hook()
        self.rounds.append((at, points))

    def history(
        self, who: str | None, names: Sequence[str], since: float, until: float, points: int
    ) -> Lines:
        return Lines((), 5.0, {}, {})

    def last(self, instance: str) -> dict[str, float | None]:
        [found] = [each for each in self.rounds[-1][1] if each.source.instance == instance]
        return dict(found.values)


class World:
    """A monitor over engines of a test, with clocks that it moves."""

    def __init__(self, *engines: Engine) -> None:
        self.engines = {f"i{number}": engine for number, engine in enumerate(engines)}
        self.targets: Callable[[], Sequence[Target]] = lambda: [
            engine.target(name) for name, engine in self.engines.items()
        ]
        self.machine: Callable[[], MachineSample] = lambda: SAMPLE
        self.gateway = GatewayCounts()
        self.kept = Kept()
        self.monotonic, self.unix = 1000.0, 1.8e9
        self.monitor = Monitor(
            self._targets_now, self._machine_now, self.kept, gateway=lambda: self.gateway,
            readers=READERS, clock=lambda: self.monotonic, now=lambda: self.unix,
        )  # fmt: skip

    def _targets_now(self) -> Sequence[Target]:
        return self.targets()

    def _machine_now(self) -> MachineSample:
        return self.machine()

    def pass_by(self, seconds: float) -> None:
        self.monotonic += seconds
        self.unix += seconds

    async def round(self, after_s: float = 5.0) -> Overview:
        self.pass_by(after_s)
        return await self.monitor.round()


@asynccontextmanager
async def world(count: int = 1) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        made = World(*[await stack.enter_async_context(serving()) for _ in range(count)])
        stack.push_async_callback(made.monitor.close)
        yield made


# ── a round ─────────────────────────────────────────────────────────────────────────────────


async def test_before_the_first_round() -> None:
    async with world() as here:
        assert here.monitor.now() == Overview()


async def test_rates_machine_and_age() -> None:
    async with world() as here:
        here.engines["i0"].tokens(100, running=2)
        await here.round()
        here.engines["i0"].tokens(300, running=2)
        found = await here.round()
        assert found.readings["i0"].output_tokens_per_s == 40
        assert found.readings["i0"].tokens_per_joule == pytest.approx(0.8)
        assert found.models == {"i0": "m-i0"}
        assert (found.machine, found.at, found.age_s) == (SAMPLE, here.unix, 0)
        here.pass_by(3)
        assert here.monitor.now().age_s == 3


async def test_the_plan_of_a_target_is_compared() -> None:
    async with world() as here:
        base = here.engines["i0"].target("i0")
        plan = Planned(40.0, 80.0)
        here.targets = lambda: [Target("i0", "m", "vllm", base.spec, plan)]
        await here.round()
        here.engines["i0"].tokens(100)
        found = (await here.round()).readings["i0"]
        assert (found.plan_share, found.roofline_share) == (1.0, 0.5)  # busy for half of the time
        here.engines["i0"].tokens(200)
        found = (await here.round()).readings["i0"]
        assert (found.plan_share, found.roofline_share) == (0.5, 0.25)


async def test_a_clock_that_is_set_back_changes_no_rate() -> None:
    async with world() as here:
        await here.round()
        here.engines["i0"].tokens(100)
        here.unix -= 1e6
        found = await here.round()
        assert found.readings["i0"].output_tokens_per_s == 20
        assert here.kept.rounds[-1][0] == here.unix


async def test_no_rate_over_a_suspended_host() -> None:
    async with world() as here:
        await here.round()
        here.engines["i0"].tokens(100)
        found = await here.round(3600)
        assert found.readings["i0"].output_tokens_per_s is None
        assert found.readings["i0"].running == 1


async def test_energy_is_told_only_of_one_that_generates_alone() -> None:
    async with world(2) as here:
        await here.round()
        here.engines["i0"].tokens(100)
        alone = await here.round()
        assert alone.readings["i0"].tokens_per_joule == pytest.approx(0.4)
        here.engines["i0"].tokens(200)
        here.engines["i1"].tokens(100)
        both = await here.round()
        assert {each.tokens_per_joule for each in both.readings.values()} == {None}


async def test_energy_is_not_told_beside_one_that_says_nothing() -> None:
    async with world(2) as here:
        await here.round()
        here.engines["i0"].tokens(100)
        here.engines["i1"].say = answer(b"<html>")
        assert (await here.round()).readings["i0"].tokens_per_joule is None


async def test_one_that_cannot_be_read_does_not_touch_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with world(2) as here:
        await here.round()
        here.engines["i0"].say = answer(b"<html>")
        here.engines["i1"].tokens(50)
        with caplog.at_level(logging.INFO):
            for _ in range(3):
                found = await here.round()
        assert found.readings["i0"] == Reading(problem="the answer of /metrics has no known figure")
        assert found.readings["i1"].output_tokens_per_s == 0
        assert here.kept.last("i0") == dict.fromkeys(ENGINE_SERIES)
        assert len(caplog.records) == 1  # said once
        here.engines["i0"].tokens(100)
        found = await here.round()
        assert found.readings["i0"].output_tokens_per_s == 5  # over the 20 s since it was read


async def test_an_engine_that_left_is_forgotten() -> None:
    async with world(2) as here:
        await here.round()
        del here.engines["i0"]
        found = await here.round()
        assert set(found.readings) == set(found.models) == {"i1"}
        assert set(here.monitor._tracks) == {"i1"}


async def test_nobody_is_asked_who_is_no_target() -> None:
    async with world() as here:
        here.targets = list
        await here.round()
        assert here.engines["i0"].asked == 0


async def test_the_gateway() -> None:
    async with world(0) as here:
        here.gateway = GatewayCounts(10, 2)
        first = await here.round()
        assert (first.gateway_requests_per_s, first.gateway_waiting) == (None, 2)
        here.gateway = GatewayCounts(35, 0)
        assert (await here.round()).gateway_requests_per_s == 5
        here.gateway = GatewayCounts(1, 0)
        assert (await here.round()).gateway_requests_per_s is None


# ── what is stored ──────────────────────────────────────────────────────────────────────────


async def test_one_row_for_every_interval_however_often_it_is_sampled() -> None:
    async with world() as here:
        await here.round()
        for number in range(1, 11):
            here.engines["i0"].tokens(100 * (number // 5))
            await here.round(1)
        assert [at - here.unix for at, _ in here.kept.rounds] == [-10, -5, 0]
        assert here.kept.last("i0")["output_tokens_per_s"] == 20
        assert here.monitor.now().readings["i0"].output_tokens_per_s == 100


async def test_names_of_what_is_stored() -> None:
    async with world() as here:
        here.gateway = GatewayCounts(1, 2)
        await here.round()
        machine, engine = here.kept.rounds[0][1]
        assert (machine.source, tuple(machine.values)) == (MACHINE, MACHINE_SERIES)
        assert (engine.source, tuple(engine.values)) == (Source("i0", "m-i0"), ENGINE_SERIES)
        assert machine.values["available_bytes"] == 64
        assert machine.values["gateway_waiting"] == 2


def test_several_gpus() -> None:
    two = (GpuSample(used=0.2, power_w=50, temperature_c=70, used_bytes=1),
           GpuSample(used=0.9, power_w=100, temperature_c=60, used_bytes=2))  # fmt: skip
    [machine] = points_of(Overview(machine=MachineSample(gpus=two)), {})
    wanted = {"gpu_used": 0.9, "power_w": 150, "temperature_c": 70, "gpu_used_bytes": 3}
    assert {name: machine.values[name] for name in wanted} == wanted
    assert power_w((*two, GpuSample())) is None
    assert power_w(()) is None


async def test_a_disk_that_hangs_holds_up_no_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STORING_S", 0.05)
    async with world() as here:
        go = threading.Event()

        def hang() -> None:
            go.wait(10)

        here.kept.hook = hang
        for number in range(3):
            here.engines["i0"].tokens(100 * number)
            found = await here.round()
        assert found.readings["i0"].output_tokens_per_s == 20
        go.set()
        await asyncio.sleep(0.1)
        await here.round()
        assert len(here.kept.rounds) == 2  # two were let go


async def test_history_that_fails_is_no_end(caplog: pytest.LogCaptureFixture) -> None:
    async with world() as here:

        def fail() -> None:
            raise OSError("no such disk")

        here.kept.hook = fail
        await here.round()
        await here.round()
        assert len(caplog.records) == 1


async def test_with_the_real_history(tmp_path: Path) -> None:
    async with world() as here:
        series = Series(tmp_path / "metrics.db", now=lambda: here.unix)
        here.monitor._series = series
        for number in range(4):
            here.engines["i0"].tokens(100 * number)
            await here.round()
        found = await here.monitor.history(
            "m-i0", ["output_tokens_per_s"], here.unix - 20, here.unix + 5
        )
        assert [value for value in found.means["output_tokens_per_s"] if value is not None] == [
            20,
            20,
            20,
        ]
        series.close()


# ── an engine that hangs ────────────────────────────────────────────────────────────────────


async def test_one_that_never_answers_delays_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first round waits a moment for it, the others do not wait at all."""
    monkeypatch.setattr(scraping, "PATIENCE_S", 0.2)
    monkeypatch.setattr(connections, "TIMEOUT_S", 1.0)
    async with world(2) as here:
        await here.round()
        here.engines["i0"].after_s = 30
        asked = here.engines["i0"].asked
        loop = asyncio.get_running_loop()
        took = []
        for number in range(1, 6):
            here.engines["i1"].tokens(100 * number)
            began = loop.time()
            found = await here.round()
            took.append(loop.time() - began)
            assert found.readings["i1"].output_tokens_per_s == 20
            assert found.readings["i0"].problem is None
        assert 0.2 <= took[0] < 0.9
        assert max(took[1:]) < 0.15
        assert here.engines["i0"].asked == asked + 1
        await asyncio.sleep(1.1)
        late = (await here.round()).readings["i0"]
        assert late == Reading(problem="/metrics was not answered within 1 s")
        assert (await here.round()).readings["i0"] == late  # while it is asked again


async def test_one_that_is_slow_is_read_a_round_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scraping, "PATIENCE_S", 0.2)
    async with world() as here:
        engine = here.engines["i0"]
        engine.tokens(0, running=7)
        engine.after_s = 0.3
        assert (await here.round()).readings["i0"] == Reading()
        for _ in range(2):
            await asyncio.sleep(0.4)  # its answer comes between two rounds
            late = (await here.round()).readings["i0"]
            assert (late.running, late.problem) == (7, None)
        engine.after_s = 0
        await asyncio.sleep(0.4)
        assert engine.asked == 3  # once in each round
        await here.round()
        await asyncio.sleep(0.1)
        for number in range(1, 4):
            engine.tokens(100 * number)
            found = await here.round()
        assert found.readings["i0"].output_tokens_per_s == 20  # it is waited for again


# ── a machine that sulks ────────────────────────────────────────────────────────────────────


async def test_a_driver_that_hangs_holds_up_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MACHINE_S", 0.05)
    async with world() as here:
        go = threading.Event()

        def hang() -> MachineSample:
            go.wait(10)
            return SAMPLE

        here.machine = hang
        found = await here.round()
        assert found.machine == MachineSample()
        assert found.readings["i0"].running == 0
        go.set()
        await asyncio.sleep(0.1)
        assert (await here.round()).machine == SAMPLE


async def test_a_machine_that_cannot_be_sampled(caplog: pytest.LogCaptureFixture) -> None:
    async with world() as here:

        def broken() -> MachineSample:
            raise OSError("no /proc here")

        here.machine = broken
        await here.round()
        assert (await here.round()).machine == MachineSample()
        assert len(caplog.records) == 1


# ── the loop ────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def running(
    interval_s: float, watched_interval_s: float
) -> AsyncIterator[tuple[Monitor, Engine]]:
    async with serving() as engine:
        monitor = Monitor(lambda: [engine.target()], lambda: SAMPLE, Kept(), readers=READERS,
                          interval_s=interval_s, watched_interval_s=watched_interval_s)  # fmt: skip
        task = asyncio.create_task(monitor.run())
        try:
            yield monitor, engine
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.005)


async def test_it_samples_again_and_again() -> None:
    async with running(0.02, 0.02) as (monitor, engine):
        await until(lambda: engine.asked >= 3)
        assert monitor.now().readings["i"].running == 0


async def test_somebody_who_watches_gets_more() -> None:
    async with running(30, 0.02) as (monitor, engine):
        await until(lambda: monitor.count == 1)
        await asyncio.sleep(0.05)  # it waits for the next round
        with monitor.watched():
            await until(lambda: engine.asked >= 4)
        await asyncio.sleep(0.1)
        before = engine.asked
        await asyncio.sleep(0.15)
        assert engine.asked == before


async def test_two_watchers_leave_one_after_the_other() -> None:
    async with running(30, 0.02) as (monitor, engine):
        with monitor.watched():
            with monitor.watched():
                pass
            before = engine.asked
            await until(lambda: engine.asked >= before + 2)


async def test_rounds_come_until_the_monitor_ends() -> None:
    async with running(30, 0.02) as (monitor, _):
        came: list[Overview] = []

        async def look() -> None:
            async for overview in monitor.rounds():
                came.append(overview)  # noqa: PERF401 (all come at its end then)

        looking = asyncio.create_task(look())
        await until(lambda: len(came) >= 3)
        assert len({each.at for each in came}) == len(came)
        await monitor.close()
        async with asyncio.timeout(5):
            await looking


async def test_who_stops_looking_does_not_watch() -> None:
    async with running(30, 0.02) as (monitor, _):
        async with aclosing(monitor.rounds()) as rounds:
            await anext(rounds)
            assert monitor._watchers == 1
        assert monitor._watchers == 0


async def test_a_slow_looker_gets_the_newest() -> None:
    async with world() as here, aclosing(here.monitor.rounds()) as rounds:
        await here.round()
        assert (await anext(rounds)).at == here.unix
        for _ in range(3):
            await here.round()
        assert (await anext(rounds)).at == here.unix


async def test_a_round_that_fails_is_not_the_last(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as engine:
        calls = 0

        def targets() -> list[Target]:
            nonlocal calls
            calls += 1
            if calls < 4:
                raise RuntimeError("not now")
            return [engine.target()]

        monitor = Monitor(targets, lambda: SAMPLE, Kept(), readers=READERS, interval_s=0.01)
        task = asyncio.create_task(monitor.run())
        await until(lambda: engine.asked >= 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_cancelling_leaves_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "TIMEOUT_S", 30)
    async with running(0.01, 0.01) as (monitor, engine):
        engine.after_s = 20
        await until(lambda: engine.asked >= 1)
    assert monitor._scraper._connections._sessions == {}
