"""A clock that stands still until a test moves it."""

import asyncio
import heapq
import itertools

_TURNS = 5  # of the event loop, so that what a sleeper wakes can get on before time moves again


class FakeClock:
    """Time as a test wants it: ``sleep`` returns when ``advance`` has passed its end."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        """Seconds since whatever ``start`` stood for."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been moved by ``seconds``."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waker = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), waker))
        await waker

    async def advance(self, seconds: float) -> None:
        """Move the clock; wake every sleeper at its own time, in order."""
        end = self._now + seconds
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self._now, _, waker = heapq.heappop(self._sleepers)
            if not waker.done():  # its task may have been cancelled
                waker.set_result(None)
            await _settle()
        self._now = end


async def _settle() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
