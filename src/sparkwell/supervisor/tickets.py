"""A request's place with the supervisor: its lease, or the wait for one."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sparkwell.core.launch import Endpoint


@dataclass(slots=True)  # frozen would take three times as long to make, once a request
class Lease:
    """The right to use a ready engine until ``release`` is called, once.

    ``queued_s`` are the seconds from asking to the lease, ``load_s`` the part of them in which
    the model was being started or woken.
    """

    instance: str
    model: str
    endpoint: Endpoint
    release: Callable[[], None]
    queued_s: float = 0.0
    load_s: float = 0.0


class Ticket:
    """One request. ``lease`` is there at once when the model is ready."""

    __slots__ = ("_future", "_withdraw", "asked_at", "id", "lease", "model")

    def __init__(
        self, number: int, model: str, asked_at: float, withdraw: Callable[[int], None]
    ) -> None:
        self.id = number
        self.model = model
        self.asked_at = asked_at
        self.lease: Lease | None = None
        self._future: asyncio.Future[Lease] | None = None
        self._withdraw = withdraw

    async def wait(self) -> Lease:
        """The lease; raises the SparkwellError that says why there will be none.

        Cancelled, it withdraws the request, and gives back a lease that came in that moment.
        """
        if self.lease:
            return self.lease
        future = self._coming()
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            self.withdraw()
            raise

    def withdraw(self) -> None:
        """Its client has gone."""
        if self.lease:
            self.lease.release()
        else:
            self._withdraw(self.id)

    def give(self, lease: Lease) -> None:
        """The supervisor's answer: the lease."""
        self.lease = lease
        if self._future and not self._future.done():
            self._future.set_result(lease)

    def fail(self, error: Exception) -> None:
        """The supervisor's answer: why there is none. Nobody may be listening any more."""
        future = self._coming()
        if not future.done():
            future.set_exception(error)
            future.exception()  # seen: a client that has gone leaves no complaint in the log

    @property
    def refusal(self) -> BaseException | None:
        """Why there will be no lease, where that is known by now."""
        return self._future.exception() if self._future and self._future.done() else None

    def _coming(self) -> "asyncio.Future[Lease]":
        if self._future is None:
            self._future = asyncio.get_running_loop().create_future()
        return self._future


def releasing(release: Callable[[str], None], instance: str) -> Callable[[], None]:
    """What gives one lease back, once: a second call does nothing."""
    left = [instance]

    def once() -> None:
        if left:
            release(left.pop())

    return once
