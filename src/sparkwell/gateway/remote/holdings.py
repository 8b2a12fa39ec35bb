"""What one worker has of the daemon: leases, places in the queue, requests at the turnstile."""

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple

from sparkwell.core.errors import SparkwellError
from sparkwell.core.keys import Key
from sparkwell.gateway.backend import Backend, Lease, Ticket
from sparkwell.gateway.keys.errors import KeyRefusedError
from sparkwell.gateway.keys.seam import Passage, Turnstile
from sparkwell.gateway.remote.faults import fault_of
from sparkwell.gateway.remote.messages import (
    Ask,
    Enter,
    Fault,
    Granted,
    Leave,
    Look,
    Message,
    Refused,
    Report,
)

logger = logging.getLogger(__name__)
KeyOf = Callable[[str], Key | None]


class _Wait(NamedTuple):
    """A request that waits for its lease; ``passage`` is its number at the turnstile."""

    ticket: Ticket
    task: asyncio.Task[None]
    passage: int


class Holdings:
    """Does in the daemon what one worker's requests want, and remembers it until it is given back.

    ``say`` sends an answer; ``fresh`` is called before each lease is said, so that the worker knows
    of a model what its lease is about. ``end`` gives back what the worker did not.
    """

    def __init__(
        self,
        backend: Backend,
        turnstile: Turnstile,
        key_of: KeyOf,
        say: Callable[[Message], None],
        fresh: Callable[[], None],
    ) -> None:
        self._backend, self._turnstile = backend, turnstile
        self._key_of, self._say, self._fresh = key_of, say, fresh
        self._leases: dict[int, Lease] = {}
        self._waits: dict[int, _Wait] = {}
        self._passages: dict[int, Passage] = {}
        self._refused: dict[int, Fault | None] = {}

    @property
    def count(self) -> int:
        """Leases, places and requests that are not given back."""
        return len(self._leases) + len(self._waits) + len(self._passages)

    # ── leases ──────────────────────────────────────────────────────────────────────────────

    def ask(self, wanted: Ask) -> None:
        """Get a lease, now or later, or say why there is none."""
        if wanted.passage in self._refused:
            self._say(Refused(wanted.number, self._refused[wanted.passage], {}))
            return
        passage = self._passages.get(wanted.passage)
        try:
            ticket = self._backend.ensure_ready(
                wanted.model, priority=wanted.priority, passage=passage
            )
        except Exception as error:
            self._say(Refused(wanted.number, _fault(error), _headers(passage)))
            return
        if ticket.lease is not None:
            self._grant(wanted.number, ticket.lease, passage)
            return
        task = asyncio.get_running_loop().create_task(self._wait(wanted.number, ticket, passage))
        self._waits[wanted.number] = _Wait(ticket, task, wanted.passage)
        self.look(Look((wanted.number,)))  # so that there is something to tell from the beginning

    def drop(self, number: int) -> None:
        """Give a lease back, or leave the queue; nothing where there is neither."""
        lease = self._leases.pop(number, None)
        if lease is not None:
            lease.release()
        waits = self._waits.pop(number, None)
        if waits is not None:
            _cancel(waits.task)

    def look(self, wanted: Look) -> None:
        """Say how far these are, as far as they still wait."""
        for number in wanted.numbers:
            if number not in self._waits:
                continue
            now = self._waits[number].ticket.waiting()
            self._say(Report(number, now.model, now.phase, now.percent, now.left_s, now.ahead))

    async def _wait(self, number: int, ticket: Ticket, passage: Passage | None) -> None:
        try:
            lease = await ticket.wait()
        except Exception as error:
            self._waits.pop(number, None)
            self._say(Refused(number, _fault(error), _headers(passage)))
            return
        if self._waits.pop(number, None) is None:  # nobody wants it any more
            lease.release()
        else:
            self._grant(number, lease, passage)

    def _grant(self, number: int, lease: Lease, passage: Passage | None) -> None:
        self._leases[number] = lease
        self._fresh()
        where = lease.endpoint
        self._say(
            Granted(
                number,
                lease.instance,
                lease.model,
                where.uds,
                where.port,
                lease.queued_s,
                lease.load_s,
                _headers(passage),
            )
        )

    # ── the turnstile ───────────────────────────────────────────────────────────────────────

    def enter(self, wanted: Enter) -> None:
        """Count a request in; where it may not, its lease will be refused."""
        try:
            key = self._key(wanted.key)
            self._passages[wanted.passage] = self._turnstile.enter(key, wanted.model)
        except Exception as error:
            self._refused[wanted.passage] = _fault(error)

    def leave(self, left: Leave) -> None:
        """Count a request out."""
        self._refused.pop(left.passage, None)
        passage = self._passages.pop(left.passage, None)
        if passage is not None:
            passage.leave(left.status, left.prompt_tokens, left.output_tokens)

    def _key(self, key_id: str | None) -> Key | None:
        """The key as it is now: a worker may not have heard yet that it was revoked."""
        if key_id is None:
            return None
        key = self._key_of(key_id)
        if key is None:
            raise KeyRefusedError("This key is not good any more.", hint="Ask for another one.")
        return key

    # ── its end ─────────────────────────────────────────────────────────────────────────────

    def end(self) -> None:
        """Give everything back: the worker has gone, with whatever it was answering.

        What still waited used nothing; what the rest used only the worker had counted.
        """
        leases, self._leases = self._leases, {}
        waits, self._waits = self._waits, {}
        passages, self._passages = self._passages, {}
        self._refused.clear()
        for lease in leases.values():
            lease.release()
        for each in waits.values():
            _cancel(each.task)
        waiting = {each.passage for each in waits.values()}
        for number, passage in passages.items():
            if number in waiting:
                passage.leave(0, None, None)
            else:
                passage.lose()


def _cancel(task: asyncio.Task[None]) -> None:
    """Cancel a task that may not have had its first turn yet: only after that does it withdraw."""
    task.get_loop().call_soon(task.cancel)


def _headers(passage: Passage | None) -> dict[str, str]:
    return dict(passage.headers) if passage is not None else {}


def _fault(error: Exception) -> Fault | None:
    if isinstance(error, SparkwellError):
        return fault_of(error)
    logger.error("A request of a gateway's process was not dealt with", exc_info=error)
    return None
