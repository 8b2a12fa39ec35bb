"""What is counted since the daemon began: for rates, and for Prometheus."""

from collections import Counter

from sparkwell.core.events import Event


class Counts:
    """Requests that the gateway took, switches that were done, engines that the guard ended."""

    def __init__(self) -> None:
        self.requests = 0
        self._events: Counter[str] = Counter()

    def hear(self, event: Event) -> None:
        """Take an event of the journal in."""
        self._events[event.kind] += 1

    @property
    def switches(self) -> int:
        """Models that made room for another, which then served."""
        return self._events["switch.done"]

    @property
    def guard_trips(self) -> int:
        """Engines that the memory guard ended."""
        return self._events["guard.tripped"]
