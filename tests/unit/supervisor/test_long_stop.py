"""A stop that does not end is told of, once: whoever waits for the machine knows for what."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.unit.supervisor.switching_bench import Bench
from tests.unit.supervisor.transitions import NOW, STARTING, STOPPING, box

from sparkwell.supervisor import deeds
from sparkwell.supervisor import messages as says
from sparkwell.supervisor.machine import step


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(deeds, "LONG_STOP_S", 0.01)
    bench = Bench()
    yield bench
    bench.driver.stop_gate.set()
    await bench.supervisor.close()


def long_stops(bench: Bench) -> list[tuple[str | None, object, object]]:
    return [
        (each.instance, each.data["pid"], each.data["seconds"])
        for each in bench.journal.after(0)
        if each.kind == "stop.takes_long"
    ]


async def test_it_is_told_once_with_its_process(bench: Bench) -> None:
    instance = await bench.ready("a")
    process = bench.supervisor.process(instance)
    assert process is not None
    bench.driver.stop_gate.clear()
    ending = asyncio.create_task(bench.supervisor.down("a"))
    async with asyncio.timeout(5):
        while not long_stops(bench):
            await asyncio.sleep(0.005)
    await asyncio.sleep(0.05)
    assert long_stops(bench) == [(instance, process.pid, 0.01)]
    bench.driver.stop_gate.set()
    await asyncio.wait_for(ending, 5)


async def test_a_quick_stop_is_not(bench: Bench) -> None:
    await bench.ready("a")
    await bench.supervisor.down("a")
    await asyncio.sleep(0.03)
    assert long_stops(bench) == []


@pytest.mark.parametrize(("pid", "process"), [(4711, " (process 4711)"), (None, "")])
def test_words(pid: int | None, process: str) -> None:
    after, effects = step(box(STOPPING), says.Lingers("i1", 60.0, pid), NOW)
    [told] = effects
    assert isinstance(told, says.Tell)
    assert told.message == f"m has not ended 60 s after it was asked to{process}"
    assert after == box(STOPPING)


def test_one_that_is_not_stopping_is_no_matter() -> None:
    assert step(box(STARTING), says.Lingers("i1", 60.0), NOW) == (box(STARTING), ())
