"""Who uses which engine now: the supervisor counts, so that it knows when nobody does."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sparkwell.core.launch import Endpoint


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to use a ready engine until ``release`` is called, once."""

    instance: str
    model: str
    endpoint: Endpoint
    release: Callable[[], None]


class Leases:
    """The leases that are out, by instance."""

    def __init__(self) -> None:
        self._out: Counter[str] = Counter()

    def give(self, instance: str, model: str, endpoint: Endpoint) -> Lease:
        """A lease on an instance."""
        self._out[instance] += 1
        return Lease(instance, model, endpoint, partial(self._release, instance))

    def on(self, instance: str) -> int:
        """Leases on one instance that are out now."""
        return self._out[instance]

    @property
    def total(self) -> int:
        """Leases that are out now."""
        return self._out.total()

    @property
    def instances(self) -> tuple[str, ...]:
        """The instances that somebody uses."""
        return tuple(self._out)

    def _release(self, instance: str) -> None:
        self._out[instance] -= 1
        if not self._out[instance]:
            del self._out[instance]
