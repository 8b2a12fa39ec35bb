"""Where a request stands that waits for its model, in words and figures."""

from collections.abc import Callable
from dataclasses import dataclass

from sparkwell.app.status.describing import Describer
from sparkwell.gateway.backend import Waiting
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.box import Box, Instance, State
from sparkwell.supervisor.queue import candidates, estimated_wait_s
from sparkwell.supervisor.tickets import Lease, Ticket

FRESH_S = 0.25


@dataclass(slots=True)  # frozen would take three times as long to make, once a request
class ServedTicket:
    """A supervisor's ticket that can also say how far it is: the gateway's Ticket."""

    ticket: Ticket
    describe: Callable[[str], Waiting]

    @property
    def lease(self) -> Lease | None:
        """The lease; there at once when the model is loaded."""
        return self.ticket.lease

    async def wait(self) -> Lease:
        """The lease, or the error that says why there is none."""
        return await self.ticket.wait()

    def waiting(self) -> Waiting:
        """How far it is."""
        return self.describe(self.ticket.model)


class WaitingRoom:
    """Says how far the start of a model is, or what is in its way.

    What it has said counts for ``FRESH_S``: hundreds of streams may ask, twice a second each.
    """

    def __init__(self, supervisor: Supervisor, describer: Describer) -> None:
        self._supervisor = supervisor
        self._describer = describer
        self._said: dict[str, tuple[float, Waiting]] = {}

    def of(self, model: str) -> Waiting:
        """How far a request for the model is."""
        now = self._supervisor.now
        at, waiting = self._said.get(model, (now, None))
        if waiting is None or now - at >= FRESH_S:
            waiting = self._look(model, now)
            self._said[model] = now, waiting
        return waiting

    def _look(self, model: str, now: float) -> Waiting:
        box = self._supervisor.box
        instance = box.of(model)
        if instance and instance.state in (State.STARTING, State.WAKING):
            return self._coming(instance)
        order = candidates(box, now)
        names = [each.model for each in order]
        place = names.index(model) if model in names else len(names)
        ahead = sum(each.count for each in order[:place])
        first = next(iter(box.waiting_for(model)), None)
        left_s = estimated_wait_s(box, first, now) if first else None
        return Waiting(model, _in_the_way(box, model), left_s=left_s, ahead=ahead)

    def _coming(self, instance: Instance) -> Waiting:
        now = self._describer.progress(instance)
        words = "waking" if instance.state is State.WAKING else instance.phase.label
        return Waiting(instance.model, words, now.percent, now.left_s)


def _in_the_way(box: Box, model: str) -> str:
    """What has to happen before the model can start."""
    for each in box.instances:
        if each.leave is not None and each.serving:
            requests = "request" if each.serving == 1 else "requests"
            return f"waiting for {each.serving} running {requests} of {each.model}"
    for each in box.instances:
        if each.state is State.STOPPING:
            return f"stopping {each.model}"
        if each.state is State.SLEEPING:
            return f"putting {each.model} to sleep"
        if each.has_the_turn and each.model != model:
            return f"waiting for the start of {each.model}"
    if box.settling:
        return "waiting for memory to come back"
    return "waiting for its turn"
