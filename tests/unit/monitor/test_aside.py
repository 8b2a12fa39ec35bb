"""Calls in a thread: one that hangs holds up nobody."""

import asyncio
import threading

import pytest

from sparkwell.monitor.aside import Aside, StuckError


async def test_a_result_and_an_error() -> None:
    aside: Aside[int] = Aside("test")
    assert await aside.call(lambda: 1, 5) == 1
    with pytest.raises(ZeroDivisionError):
        await aside.call(lambda: 1 // 0, 5)
    assert await aside.call(lambda: 2, 5) == 2


async def test_it_is_not_the_loop_that_calls() -> None:
    aside: Aside[threading.Thread] = Aside("test")
    thread = await aside.call(threading.current_thread, 5)
    assert thread is not threading.current_thread()
    assert (thread.name, thread.daemon) == ("test", True)


async def test_one_that_hangs_is_refused_until_it_ends() -> None:
    aside: Aside[int] = Aside("test")
    go, called = threading.Event(), 0

    def slow() -> int:
        nonlocal called
        called += 1
        go.wait(10)
        raise ValueError("nobody waits for this")

    with pytest.raises(StuckError):
        await aside.call(slow, 0.05)
    with pytest.raises(StuckError):
        await aside.call(slow, 0.05)
    assert called == 1
    go.set()
    await asyncio.sleep(0.1)
    assert await aside.call(lambda: 3, 5) == 3


def test_one_that_hangs_when_the_loop_has_ended() -> None:
    aside: Aside[None] = Aside("test")
    go = threading.Event()

    def hang() -> None:
        go.wait(10)

    async def leave() -> None:
        with pytest.raises(StuckError):
            await aside.call(hang, 0.02)

    asyncio.run(leave())
    thread = next(each for each in threading.enumerate() if each.name == "test")
    go.set()
    thread.join(5)
    assert not thread.is_alive()
