"""Events on their way to the disk: collected, and written together."""

import asyncio

from sparkwell.core.events import Event
from sparkwell.store.events import UNSTORED, Events

EVERY_S = 0.5
RESERVED_AT_ONCE = 1000


class EventSink:
    """What a journal calls with each event; belongs to one event loop.

    Events are written in one transaction, at most ``every_s`` seconds after the first of them.
    A kill -9 loses those that were waiting, and nothing else: what has to be known after one is
    in the intents, which are written before the effect. Their numbers are not given again, since
    numbers are reserved on disk before they are used: who followed the old daemon misses nothing
    of the next one.
    """

    def __init__(self, events: Events, every_s: float = EVERY_S) -> None:
        self._events = events
        self._every_s = every_s
        self._waiting: list[Event] = []
        self._timer: asyncio.TimerHandle | None = None
        self._reserved = self._last = events.cursor()

    @property
    def cursor(self) -> int:
        """The number from which the journal has to go on."""
        return self._last

    def __call__(self, event: Event) -> None:
        """Take an event; returns at once, except for one write in a thousand events."""
        self._last = event.seq
        if event.seq > self._reserved:
            self._reserved = event.seq + RESERVED_AT_ONCE
            self._events.reserve(self._reserved)
        if event.kind in UNSTORED:
            return
        self._waiting.append(event)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._every_s, self.flush)

    def flush(self) -> None:
        """Write what is waiting, now."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        self._events.add(waiting)

    def close(self) -> None:
        """Write what is waiting, and let the next daemon count on without a gap."""
        self.flush()
        if self._reserved > self._last:
            self._reserved = self._last
            self._events.reserve(self._last)
