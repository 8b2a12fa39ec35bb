"""What happened, in order, for everybody who wants to follow it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping

from sparkwell.core.events import Event


class Journal:
    """The newest events of this daemon, with a cursor: ``seq`` of the last one seen.

    Bounded: who follows too slowly misses old events, never new ones. ``seq`` is the number to go
    on from, that of an earlier daemon's last event; those are in the store, not here. ``sink`` is
    called with each event, and must return at once.
    """

    def __init__(
        self,
        now: Callable[[], float],
        limit: int = 2000,
        *,
        seq: int = 0,
        sink: Callable[[Event], None] | None = None,
    ) -> None:
        self._now = now
        self._events: deque[Event] = deque(maxlen=limit)
        self._seq = seq
        self._sink = sink
        self._grown = asyncio.Condition()
        self._waking: set[asyncio.Task[None]] = set()

    @property
    def cursor(self) -> int:
        """The number of the newest event, this daemon's or an earlier one's; 0 before the first."""
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
        if self._sink:
            self._sink(event)
        task = asyncio.get_running_loop().create_task(self._wake())
        self._waking.add(task)
        task.add_done_callback(self._waking.discard)
        return event

    def after(self, cursor: int) -> list[Event]:
        """The events that are newer than ``cursor``, oldest first."""
        return [event for event in self._events if event.seq > cursor]

    async def follow(self, cursor: int) -> AsyncIterator[Event]:
        """Events newer than ``cursor`` as they come, without end."""
        cursor = min(cursor, self._seq)  # one of a store that was lost: its events are not ours
        while True:
            newest = self._seq  # also where the events before it are those of an earlier daemon
            for event in self.after(cursor):
                yield event
            cursor = newest
            await self._beyond(cursor)

    async def _beyond(self, cursor: int) -> None:
        async with self._grown:
            await self._grown.wait_for(lambda: self._seq > cursor)

    async def _wake(self) -> None:
        async with self._grown:
            self._grown.notify_all()
