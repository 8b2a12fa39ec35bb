"""A request's place: what it is told, and what a client leaves behind that goes away."""

import asyncio
import gc
from collections.abc import Callable

import pytest
from tests.unit.supervisor.test_actor import turns

from sparkwell.core.errors import NotReadyError
from sparkwell.core.launch import Endpoint
from sparkwell.supervisor.tickets import Lease, Ticket, releasing


class Desk:
    """Whoever gave the ticket out."""

    def __init__(self) -> None:
        self.withdrawn: list[int] = []
        self.released: list[str] = []
        self.ticket = Ticket(7, "m", 1.0, self.withdrawn.append)

    @property
    def lease(self) -> Lease:
        release: Callable[[], None] = releasing(self.released.append, "m-1")
        return Lease("m-1", "m", Endpoint(uds="/m"), release)


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def waiting(desk: Desk) -> "asyncio.Task[Lease]":
    task = asyncio.create_task(desk.ticket.wait())
    await turns()
    return task


async def test_a_lease_that_is_there_at_once_is_not_waited_for(desk: Desk) -> None:
    lease = desk.lease
    desk.ticket.give(lease)
    assert await desk.ticket.wait() is lease
    assert desk.ticket.lease is lease


async def test_who_waits_gets_the_lease(desk: Desk) -> None:
    task = await waiting(desk)
    assert desk.ticket.lease is None
    lease = desk.lease
    desk.ticket.give(lease)
    assert await task is lease
    assert (desk.withdrawn, desk.released) == ([], [])


async def test_who_waits_hears_why_there_is_none(desk: Desk) -> None:
    task = await waiting(desk)
    desk.ticket.fail(NotReadyError("No room.", hint="Make some."))
    with pytest.raises(NotReadyError, match="No room") as refused:
        await task
    assert refused.value.hint == "Make some."


async def test_a_refusal_is_kept_for_who_waits_later(desk: Desk) -> None:
    error = NotReadyError("No room.")
    desk.ticket.fail(error)
    assert desk.ticket.refusal is error
    with pytest.raises(NotReadyError, match="No room"):
        await desk.ticket.wait()


async def test_a_lease_is_no_refusal(desk: Desk) -> None:
    task = await waiting(desk)
    desk.ticket.give(desk.lease)
    assert desk.ticket.refusal is None
    await task


async def test_a_client_that_goes_away_is_withdrawn(desk: Desk) -> None:
    task = await waiting(desk)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert desk.withdrawn == [7]
    assert desk.released == []
    assert desk.ticket.refusal is None


async def test_a_client_that_goes_away_in_the_moment_of_the_lease_gives_it_back(
    desk: Desk,
) -> None:
    """Given, but not yet woken: nobody else would ever give it back."""
    task = await waiting(desk)
    desk.ticket.give(desk.lease)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert desk.released == ["m-1"]
    assert desk.withdrawn == []


async def test_the_same_the_other_way_round(desk: Desk) -> None:
    """Cancelled, and the supervisor grants it before the cancelled task has run."""
    task = await waiting(desk)
    task.cancel()
    desk.ticket.give(desk.lease)
    await asyncio.gather(task, return_exceptions=True)
    assert desk.released == ["m-1"]


async def test_a_client_that_goes_away_before_it_has_begun_to_wait(desk: Desk) -> None:
    """Its task never ran: what was given is only given back by who still holds the ticket."""
    desk.ticket.give(desk.lease)
    desk.ticket.withdraw()
    desk.ticket.withdraw()
    assert desk.released == ["m-1"]


async def test_a_refusal_that_nobody_hears_makes_no_noise(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.ticket.fail(NotReadyError("No room."))
    desk.ticket = Ticket(8, "m", 1.0, desk.withdrawn.append)
    gc.collect()
    await turns()
    assert "never retrieved" not in caplog.text


async def test_a_refusal_and_a_client_that_goes_away_together(desk: Desk) -> None:
    task = await waiting(desk)
    task.cancel()
    desk.ticket.fail(NotReadyError("No room."))
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert desk.released == []


def test_a_lease_is_given_back_once() -> None:
    released: list[str] = []
    release = releasing(released.append, "m-1")
    release()
    release()
    assert released == ["m-1"]
