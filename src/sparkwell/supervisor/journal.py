"""What happened, in order, for everybody who wants to follow it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping

from sparkwell.core.events import Event


class Journal:
    """The newest events of this daemon, with a cursor: ``seq`` of the last one seen.

    Bounded: who follows too slowly misses old events, never new ones.
    """

    def __init__(self, now: Callable[[], float], limit: int = 2000) -> None:
        self._now = now
        self._events: deque[Event] = deque(maxlen=limit)
        self._seq = 0
        self._grown = asyncio.Condition()
        self._waking: set[asyncio.Task[None]] = set()

    @property
    def cursor(self) -> int:
        """The number of the newest event; 0 before the first."""
        return self._seq

    def add(
        self,
        kind: str,
        message: str,
        *,
        model: str | None = None,
        instance: str | None = None,
        data: Mapping[str, object] | None = None,
    ) -> Event:
        """Record that something happened, now, and wake those who follow."""
        self._seq += 1
        event = Event(self._seq, self._now(), kind, message, model, instance, data or {})
        self._events.append(event)
        task = asyncio.get_running_loop().create_task(self._wake())
        self._waking.add(task)
        task.add_done_callback(self._waking.discard)
        return event

    def after(self, cursor: int) -> list[Event]:
        """The events that are newer than ``cursor``, oldest first."""
        return [event for event in self._events if event.seq > cursor]

    async def follow(self, cursor: int) -> AsyncIterator[Event]:
        """Events newer than ``cursor`` as they come, without end."""
        cursor = min(cursor, self._seq)  # one of an earlier daemon: its events are not ours
        while True:
            for event in self.after(cursor):
                cursor = event.seq
                yield event
            await self._beyond(cursor)

    async def _beyond(self, cursor: int) -> None:
        async with self._grown:
            await self._grown.wait_for(lambda: self._seq > cursor)

    async def _wake(self) -> None:
        async with self._grown:
            self._grown.notify_all()
