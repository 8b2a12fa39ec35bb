"""Time moves when a test says so."""

import asyncio

from sparkwell.testing.clock import FakeClock


async def test_sleepers_wake_in_order_at_their_own_time() -> None:
    clock = FakeClock(100.0)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.now()))

    tasks = [asyncio.create_task(sleeper(*one)) for one in (("late", 5.0), ("soon", 2.0))]
    await clock.advance(1.0)
    assert (woken, clock.now()) == ([], 101.0)
    await clock.advance(10.0)
    assert woken == [("soon", 102.0), ("late", 105.0)]
    await asyncio.gather(*tasks)


async def test_a_loop_that_sleeps_is_followed() -> None:
    clock = FakeClock()
    ticks: list[float] = []

    async def ticker() -> None:
        while True:
            await clock.sleep(1.0)
            ticks.append(clock.now())

    task = asyncio.create_task(ticker())
    await clock.advance(3.0)
    task.cancel()
    await clock.advance(3.0)
    assert ticks == [1.0, 2.0, 3.0]


async def test_no_sleep_is_no_wait() -> None:
    await FakeClock().sleep(0)
