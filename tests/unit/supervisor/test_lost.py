"""One whose end could not be seen to may run still: nobody forgets it, or starts it again."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.unit.supervisor.switching_bench import Bench
from tests.unit.supervisor.test_actor import until
from tests.unit.supervisor.transitions import CRASH, LOST, NOW, SMALL, N, box, request

from sparkwell.core.errors import ConflictError, EnvironmentFault
from sparkwell.core.launch import ExitRecord
from sparkwell.supervisor import messages as says
from sparkwell.supervisor.box import State
from sparkwell.supervisor.machine import step
from sparkwell.supervisor.room import holding


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.supervisor.close()


async def refuse(_instance: str, _grace_s: float | None = None) -> ExitRecord:
    raise EnvironmentFault("process 7 cannot be ended", hint="End process 7.")


async def lose(bench: Bench, model: str) -> str:
    """Its stop cannot be seen to; the engine lives on."""
    instance = await bench.ready(model)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bench.driver, "stop", refuse)
        await asyncio.wait_for(bench.supervisor.down(model), 5)
    assert (bench.state(model), bench.supervisor.instances[0].lost) == (State.FAILED, True)
    return instance


async def alive(bench: Bench) -> list[str]:
    return [each.spec.instance for each in await bench.driver.running()]


async def test_up_starts_no_second_one_beside_it_and_says_what_to_do(bench: Bench) -> None:
    first = await lose(bench, "a")
    with pytest.raises(ConflictError, match="a may still run: its end could not be seen") as caught:
        bench.up("a")
    assert caught.value.hint == "`sparkwell down a` tries again to end it."
    assert bench.driver.launched == [first]


async def test_down_tries_again_and_returns_when_it_has_ended(bench: Bench) -> None:
    first = await lose(bench, "a")
    bench.driver.stop_gate.clear()
    ending = asyncio.create_task(bench.supervisor.down("a"))
    await until(lambda: bench.driver.stopped == [first])
    assert not ending.done()
    bench.driver.stop_gate.set()
    assert [each.id for each in await asyncio.wait_for(ending, 5)] == [first]
    assert (await alive(bench), bench.supervisor.instances) == ([], ())
    await bench.ready("a")


async def test_down_of_all_ends_it_too(bench: Bench) -> None:
    await lose(bench, "a")
    await asyncio.wait_for(bench.supervisor.down(), 5)
    assert await alive(bench) == []


async def test_a_stop_that_fails_again_is_told_and_not_waited_for_without_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lose(bench, "a")
    monkeypatch.setattr(bench.driver, "stop", refuse)
    await asyncio.wait_for(bench.supervisor.down("a"), 5)
    assert bench.supervisor.instances[0].lost
    assert bench.kinds.count("instance.failed") == 2


async def test_one_that_ends_after_all_gives_its_memory_back(bench: Bench) -> None:
    first = await lose(bench, "a")
    assert bench.room.ended == []  # what is lost holds its memory: nobody waits for that
    await bench.driver.end(first, code=None, signal=9)
    await until(lambda: not bench.supervisor.instances[0].lost)
    assert (bench.kinds[-1], bench.state("a")) == ("instance.ended", State.FAILED)
    ticket = bench.ask("b")  # 60 of 100, as a was
    await bench.answers("b")
    assert (await ticket.wait()).model == "b"
    assert bench.room.ended == ["a"]


async def test_one_that_has_ended_after_all_may_start_again(bench: Bench) -> None:
    first = await lose(bench, "a")
    await bench.driver.end(first, code=None, signal=9)
    await until(lambda: not bench.supervisor.instances[0].lost)
    assert await bench.ready("a") != first


def test_what_waits_for_its_memory_goes_on_when_it_has_ended() -> None:
    waiting = box(LOST, waiting=(request(9, "n"),), settling=("i0",))
    after, effects = step(waiting, says.Ended("i1", CRASH), NOW)
    assert (holding(after), after.settling) == ([], ("i0", "i1"))
    assert effects[-1] == says.Settle("i1", "m")
    for instance in after.settling:
        after, effects = step(after, says.Settled(instance), NOW)
    assert says.Prepare("n-s0", "n", on_demand=True) in effects


def test_a_small_one_starts_beside_it_a_large_one_does_not() -> None:
    after, _ = step(box(LOST), says.Up("l", "i2", SMALL, 10), NOW)
    assert [each.model for each in after.live] == ["l"]
    with pytest.raises(ConflictError, match="n does not fit beside m"):
        step(box(LOST), says.Up("n", "i2", N, 60), NOW)
