"""Calls that may hang, in a thread of their own: a driver that sulks, a disk that is slow."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class StuckError(Exception):
    """The call, or an earlier one, has not come back in time."""


class Aside(Generic[T]):
    """One call at a time. A thread that hangs is left alone, and keeps nobody from ending."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._running: asyncio.Future[T] | None = None

    async def call(self, work: Callable[[], T], timeout_s: float) -> T:
        """What ``work`` gives, or its exception. Raises StuckError after ``timeout_s``.

        It goes on in its thread then; until it has ended every other call is refused.
        """
        if self._running and not self._running.done():
            raise StuckError
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        future.add_done_callback(_heard)
        self._running = future
        threading.Thread(
            target=_do, args=(work, loop, future), name=self._name, daemon=True
        ).start()
        done, _ = await asyncio.wait({future}, timeout=timeout_s)
        if not done:
            raise StuckError
        return future.result()


def _do(work: Callable[[], T], loop: asyncio.AbstractEventLoop, future: asyncio.Future[T]) -> None:
    try:
        result = work()
    except Exception as error:
        tell: Callable[[], None] = _teller(future, error)
    else:
        tell = _result_teller(future, result)
    with suppress(RuntimeError):  # the loop has been closed meanwhile
        loop.call_soon_threadsafe(tell)


def _teller(future: asyncio.Future[T], error: Exception) -> Callable[[], None]:
    return lambda: None if future.done() else future.set_exception(error)


def _result_teller(future: asyncio.Future[T], result: T) -> Callable[[], None]:
    return lambda: None if future.done() else future.set_result(result)


def _heard(future: asyncio.Future[T]) -> None:
    """An exception that comes when nobody waits any more is not to be told by the loop."""
    if not future.cancelled():
        future.exception()
