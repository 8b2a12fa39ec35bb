"""The desk: where a request gets its ticket, and later its lease or the reason why not."""

import itertools
from collections.abc import Callable

from sparkwell.supervisor.box import Instance
from sparkwell.supervisor.messages import Grant, Refuse
from sparkwell.supervisor.runs import Runs
from sparkwell.supervisor.tickets import Lease, Ticket, releasing


class Desk:
    """Has the tickets of all that wait; true while there are any.

    ``left`` is told of a request whose client has gone, ``released`` of an instance whose lease
    is back. ``get`` gives the present state of an instance, ``clock`` the box's time.
    """

    def __init__(
        self,
        runs: Runs,
        get: Callable[[str], Instance | None],
        clock: Callable[[], float],
        *,
        left: Callable[[int], None],
        released: Callable[[str], None],
    ) -> None:
        self._runs = runs
        self._get = get
        self._clock = clock
        self._left = left
        self._released = released
        self._tickets: dict[int, Ticket] = {}
        self._numbers = itertools.count(1)

    def __bool__(self) -> bool:
        return bool(self._tickets)

    def take(self, model: str, now: float) -> Ticket:
        """A place for a request."""
        ticket = Ticket(next(self._numbers), model, now, self._withdraw)
        self._tickets[ticket.id] = ticket
        return ticket

    def at_once(self, model: str, instance: str, now: float) -> Ticket:
        """A place for a request that need not wait for its lease."""
        ticket = Ticket(0, model, now, self._withdraw)
        endpoint = self._runs.specs[instance].endpoint
        ticket.lease = Lease(instance, model, endpoint, releasing(self._released, instance))
        return ticket

    def grant(self, grant: Grant) -> None:
        """Hand out the lease."""
        ticket, instance = self._tickets.pop(grant.request), grant.instance
        queued_s = self._clock() - ticket.asked_at
        lease = Lease(
            instance,
            ticket.model,
            self._runs.specs[instance].endpoint,
            releasing(self._released, instance),
            queued_s,
            self._load_s(ticket, instance, queued_s),
        )
        ticket.give(lease)

    def refuse(self, refusal: Refuse) -> None:
        """Say why there will be none."""
        error = refusal.kind(
            refusal.message, hint=refusal.hint, retry_after_s=refusal.retry_after_s
        )
        self._tickets.pop(refusal.request).fail(error)

    def _withdraw(self, request: int) -> None:
        if self._tickets.pop(request, None):
            self._left(request)

    def _load_s(self, ticket: Ticket, instance: str, queued_s: float) -> float:
        """The part of a wait in which the model was being started or woken."""
        current, began = self._get(instance), self._runs.began.get(instance)
        if current is None or current.ready_at is None or current.ready_at < ticket.asked_at:
            return 0.0
        return queued_s if began is None else min(queued_s, self._clock() - began)
