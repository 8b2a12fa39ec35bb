"""The alarm: when the box has to be looked at again though nothing happens."""

import asyncio
from collections.abc import Callable

from sparkwell.supervisor.box import Box
from sparkwell.supervisor.eviction import idle_end
from sparkwell.supervisor.messages import Asked, Event, Released
from sparkwell.supervisor.queue import next_chance

OFTEN = (Asked, Released)
"""Nearly all events are requests that come and go: for them little has to be looked at."""


class Alarm:
    """One timer. ``ring`` is called when it is time; ``clock`` is the box's."""

    def __init__(self, clock: Callable[[], float], ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._timer: asyncio.Handle | None = None
        self._set_for = 0.0  # uvloop's handle does not say, where the time has come already

    def after(self, event: Event, before: Box, box: Box, now: float) -> None:
        """See to it that it rings soon enough after an event.

        ``now`` is the time of its step: what falls due since then nobody has looked at.
        """
        if self._may_be_due_sooner(event, before, box):
            self._set(next_chance(box, now))

    def cancel(self) -> None:
        """It does not ring any more."""
        if self._timer:
            self._timer.cancel()

    def _may_be_due_sooner(self, event: Event, before: Box, box: Box) -> bool:
        """Whether the queue may have to be looked at sooner than was known before the event."""
        if before.waiting is not box.waiting or not isinstance(event, OFTEN):
            return True
        freed = box.get(event.instance) if isinstance(event, Released) else None
        if freed is None or freed.serving:
            return False
        return bool(box.waiting) or self._is_sooner(idle_end(freed))

    def _set(self, at: float | None) -> None:
        """Only an earlier time than the one that is set matters: too early does no harm."""
        if at is None or not self._is_sooner(at):
            return
        self.cancel()
        self._set_for = self._due(at)
        self._timer = asyncio.get_running_loop().call_at(self._set_for, self._rings)

    def _is_sooner(self, at: float | None) -> bool:
        """Whether the timer that is set, if one is, would be too late for this time of the box."""
        return at is not None and (self._timer is None or self._due(at) < self._set_for)

    def _due(self, at: float) -> float:
        return asyncio.get_running_loop().time() + max(0.0, at - self._clock())

    def _rings(self) -> None:
        self._timer = None
        self._ring()
