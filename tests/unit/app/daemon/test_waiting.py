"""Where a request stands that waits: in words that name what is in its way."""

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from sparkwell.app.daemon.waiting import FRESH_S, ServedTicket, WaitingRoom
from sparkwell.core.errors import NotReadyError
from sparkwell.core.launch import Endpoint
from sparkwell.core.phases import Phase
from sparkwell.gateway.backend import Waiting
from sparkwell.monitor.progress import Progress
from sparkwell.supervisor.box import Box, Instance, Leave, Request, State
from sparkwell.supervisor.terms import Budget, Terms
from sparkwell.supervisor.tickets import Lease, Ticket

TERMS = Terms(least_bytes=60, most_bytes=60, start_s=30.0)
A = Instance("a-1", "a", State.READY, held_bytes=60, ready_at=0.0, idle_since=0.0)


@dataclass
class Seen:
    """What the room looks at; ``looks`` counts how often the describer is asked."""

    box: Box = field(default_factory=Box)
    now: float = 1000.0
    looks: int = 0

    def progress(self, instance: Instance) -> Progress:
        self.looks += 1
        return Progress(instance.phase, percent=45.0, elapsed_s=10.0, left_s=12.0)

    @property
    def room(self) -> WaitingRoom:
        return WaitingRoom(cast("Any", self), cast("Any", self))


def asked(model: str, count: int = 1, **more: Any) -> tuple[Request, ...]:
    return tuple(Request(i, model, 990.0, 2000.0, TERMS, **more) for i in range(count))


def box(*instances: Instance, waiting: tuple[Request, ...] = (), **more: Any) -> Box:
    return Box(instances=instances, waiting=waiting, budget=Budget(100), **more)


@pytest.mark.parametrize(
    ("state", "phase", "words"),
    [
        (State.STARTING, Phase.WEIGHTS, Phase.WEIGHTS.label),
        (State.STARTING, Phase.PREPARE, Phase.PREPARE.label),
        (State.WAKING, Phase.WARMUP, "waking"),
    ],
)
def test_the_start_of_its_model(state: State, phase: Phase, words: str) -> None:
    seen = Seen(box(Instance("b-1", "b", state, phase), waiting=asked("b")))
    assert seen.room.of("b") == Waiting("b", words, 45.0, 12.0)


@pytest.mark.parametrize(
    ("instances", "settling", "words"),
    [
        ((A,), (), "waiting for its turn"),
        (
            (replace(A, state=State.DRAINING, leave=Leave.STOP, serving=1),),
            (),
            "waiting for 1 running request of a",
        ),
        (
            (replace(A, state=State.DRAINING, leave=Leave.STOP, serving=3),),
            (),
            "waiting for 3 running requests of a",
        ),
        ((replace(A, state=State.STOPPING),), (), "stopping a"),
        ((replace(A, state=State.SLEEPING),), (), "putting a to sleep"),
        ((replace(A, state=State.STARTING),), (), "waiting for the start of a"),
        ((replace(A, state=State.WAKING),), (), "waiting for the start of a"),
        ((), ("a-1",), "waiting for memory to come back"),
        ((), (), "waiting for its turn"),
        ((replace(A, state=State.FAILED),), (), "waiting for its turn"),
    ],
)
def test_what_is_in_its_way(
    instances: tuple[Instance, ...], settling: tuple[str, ...], words: str
) -> None:
    seen = Seen(box(*instances, waiting=asked("b"), settling=settling))
    assert seen.room.of("b").phase == words


def test_its_own_end_is_in_its_way_too() -> None:
    """It was asked for again while it was already leaving."""
    seen = Seen(box(replace(A, state=State.STOPPING), waiting=asked("a")))
    assert seen.room.of("a").phase == "stopping a"


def test_how_many_are_served_first() -> None:
    first = tuple(replace(each, id=10 + each.id) for each in asked("c", 3, priority=5))
    seen = Seen(box(A, waiting=(*asked("b", 2), *first)))
    assert seen.room.of("b").ahead == 3
    assert seen.room.of("c").ahead == 0


def test_how_long_it_may_take_by_what_starts_took() -> None:
    unknown = tuple(replace(each, terms=replace(TERMS, start_s=None)) for each in asked("b"))
    assert Seen(box(A, waiting=unknown)).room.of("b").left_s is None
    left_s = Seen(box(A, waiting=asked("b"))).room.of("b").left_s
    assert left_s is not None
    assert left_s >= 30.0


def test_who_does_not_wait_any_more_is_told_something() -> None:
    """It was granted, or withdrawn, between two looks."""
    assert Seen(box(A)).room.of("b") == Waiting("b", "waiting for its turn")


def test_hundreds_of_streams_look_once() -> None:
    seen = Seen(box(Instance("b-1", "b", State.STARTING), waiting=asked("b")))
    room = seen.room
    for _ in range(100):
        room.of("b")
    assert seen.looks == 1
    seen.now += FRESH_S
    room.of("b")
    assert seen.looks == 2


def test_one_models_words_are_not_anothers() -> None:
    seen = Seen(box(replace(A, state=State.STOPPING), waiting=(*asked("b"), *asked("c"))))
    room = seen.room
    assert [room.of(each).model for each in ("b", "c", "b")] == ["b", "c", "b"]


async def test_a_ticket_with_words() -> None:
    seen = Seen(box(waiting=asked("b")))
    ticket = Ticket(1, "b", 0.0, lambda _id: None)
    served = ServedTicket(ticket, seen.room.of)
    assert served.waiting().model == "b"
    lease = Lease("b-1", "b", Endpoint(uds="/b"), lambda: None)
    ticket.give(lease)
    assert served.lease is lease
    assert await served.wait() is lease
    refused = Ticket(2, "b", 0.0, lambda _id: None)
    refused.fail(NotReadyError("No room."))
    with pytest.raises(NotReadyError):
        await ServedTicket(refused, seen.room.of).wait()
