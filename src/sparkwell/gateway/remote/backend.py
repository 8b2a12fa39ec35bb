"""The worker's end: answers at once what it knows, and asks the daemon for the rest."""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from types import MappingProxyType

from sparkwell.checks.serving_repeats import Ends
from sparkwell.core.errors import NotReadyError, SparkwellError
from sparkwell.core.keys import Key
from sparkwell.core.launch import Endpoint
from sparkwell.gateway.backend import Model, Waiting
from sparkwell.gateway.keys.book import Book
from sparkwell.gateway.keys.seam import Passage
from sparkwell.gateway.remote.faults import error_of
from sparkwell.gateway.remote.link import Link, worker_side
from sparkwell.gateway.remote.messages import (
    Ask,
    Drain,
    Drop,
    Enter,
    Failed,
    Fault,
    FromDaemon,
    Granted,
    Heard,
    Hello,
    Keys,
    Leave,
    Listening,
    Look,
    Models,
    Opening,
    Refused,
    Report,
    WrongKey,
)
from sparkwell.gateway.remote.names import Names

logger = logging.getLogger(__name__)
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_CLOSE_S = 2.0
_FIRST_PHASE = "waiting for its turn"
_endpoint = lru_cache(256)(lambda uds, port: Endpoint(uds=uds, port=port))


class Remote:
    """A gateway's Backend and Turnstile in a process of its own, and its ``book``.

    ``ready`` is set when all is known that has to be known before clients may come; ``over`` is
    set when no more of them shall: the daemon says so (``drain_s``), or has gone (``lost``).
    ``hurry`` is called when it does not want to wait any longer.
    """

    def __init__(self) -> None:
        self.book = Book()
        self.opening: Opening | None = None
        self.drain_s: float | None = None
        self.ready, self.over = asyncio.Event(), asyncio.Event()
        self.hurry: Callable[[], object] = lambda: None
        self.lost, self._gone = False, asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._link: Link[FromDaemon] = worker_side(self._take, self._went)
        self._names: Names | None = None
        self._numbers = count(1)
        self._tickets: dict[int, RemoteTicket] = {}
        self._reports: dict[str, Waiting] = {}
        self._looking: asyncio.TimerHandle | None = None

    async def connect(self, path: str) -> None:
        """Meet the daemon, and learn what there is to know; raises OSError, or NotReadyError."""
        await self._loop.create_unix_connection(lambda: self._link, path)
        self._link.say(Hello(os.getpid()))
        await self.ready.wait()
        if self.lost:
            raise gone()

    async def close(self) -> None:
        """Say what is left to be said, and end."""
        if self._looking is not None:
            self._looking.cancel()
        self._link.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._gone.wait()

    def listens(self, port: int) -> None:
        """Tell the daemon that clients may come."""
        self._link.say(Listening(port))

    def failed(self, fault: Fault) -> None:
        """Tell the daemon why they may not."""
        self._link.say(Failed(fault))

    # ── the Backend ─────────────────────────────────────────────────────────────────────────

    def resolve(self, name: str) -> Model:
        """The model that a client means; raises UnknownModelError."""
        return self._known.resolve(name)

    def listed(self) -> list[Model]:
        """The models that can be started here without a download."""
        return self._known.listed()

    def loaded(self) -> list[tuple[str, Endpoint]]:
        """The models that are ready, and where their engines answer."""
        return self._known.loaded

    def ensure_ready(
        self, model: str, *, priority: int = 0, passage: Passage | None = None
    ) -> "RemoteTicket":
        """A place for one request; whether there is a lease is always said by ``wait``.

        Raises NotReadyError where the daemon has gone.
        """
        if self.lost:
            raise gone()
        number = next(self._numbers)
        mine = passage if isinstance(passage, RemotePassage) else None
        ticket = RemoteTicket(self, number, model, mine)
        self._tickets[number] = ticket
        self._link.say(Ask(number, model, priority, mine.number if mine is not None else 0))
        return ticket

    def health(self) -> tuple[bool, Mapping[str, object]]:
        """Whether the daemon is there."""
        return not self.lost, {"state": "lost" if self.lost else "ready"}

    def heard(self, model: str, ends: Ends | None) -> None:
        """A request for a model has come."""
        self._link.say(Heard(model, ends))

    async def metrics(self) -> bytes:
        """Nothing: the daemon counts."""
        return b""

    # ── the Turnstile ───────────────────────────────────────────────────────────────────────

    def enter(self, key: Key | None, model: str) -> "RemotePassage":
        """Count a request in. That it may not is said when it asks for its lease."""
        passage = RemotePassage(next(self._numbers), self._link)
        self._link.say(Enter(passage.number, key.id if key is not None else None, model))
        return passage

    # ── the door ────────────────────────────────────────────────────────────────────────────

    def wrong_key(self, address: str | None) -> None:
        """A request had a key that is not valid: the daemon tells of all workers' together."""
        self._link.say(WrongKey(address))

    # ── what tickets ask ────────────────────────────────────────────────────────────────────

    def drop(self, number: int) -> None:
        """Give a lease back, or leave the queue."""
        self._tickets.pop(number, None)
        self._link.say(Drop(number))

    def report(self, model: str) -> Waiting:
        """What was heard last of those who wait for a model."""
        return self._reports.get(model) or Waiting(model, _FIRST_PHASE)

    # ── what the daemon says ────────────────────────────────────────────────────────────────

    @property
    def _known(self) -> Names:
        if self._names is None:
            raise gone()
        return self._names

    def _take(self, message: FromDaemon) -> None:
        match message:
            case Granted():
                ticket = self._tickets.pop(message.number, None)
                if ticket is not None:
                    ticket.grant(message)
            case Refused():
                ticket = self._tickets.pop(message.number, None)
                if ticket is not None:
                    ticket.refuse(message)
            case Report():
                self._hear(message)
            case _:
                self._learn(message)

    def _learn(self, message: Opening | Keys | Models | Drain) -> None:
        match message:
            case Opening():
                self.opening = message
            case Keys():
                self.book.use(message.keys, message.standing)
            case Models():
                self._names = Names(message)
                self.ready.set()
            case Drain():
                if self.over.is_set() and not message.drain_s:
                    self.hurry()
                self.drain_s = message.drain_s
                self.over.set()

    def _hear(self, report: Report) -> None:
        ticket = self._tickets.get(report.number)
        if ticket is not None:
            self._reports[ticket.model] = Waiting(
                report.model, report.phase, report.percent, report.left_s, report.ahead
            )

    def _went(self) -> None:
        self.lost = True
        self._gone.set()
        tickets, self._tickets = self._tickets, {}
        for ticket in tickets.values():
            ticket.fail(gone())
        self.ready.set()
        self.over.set()

    # ── how far those are who wait ──────────────────────────────────────────────────────────

    def waits(self) -> None:
        """Somebody begins to wait: from now on the daemon is asked how far it is.

        One request of each model is asked about, as often as a waiting stream looks: so there is
        something to tell when its headers are held no longer.
        """
        if self._looking is None:
            self._look_again()

    def _look_again(self) -> None:
        pause_s = self.opening.pace.look_s if self.opening is not None else 0.5
        self._looking = self._loop.call_later(pause_s, self._look)

    def _look(self) -> None:
        self._looking = None
        first: dict[str, int] = {}
        for number, ticket in self._tickets.items():
            first.setdefault(ticket.model, number)
        self._reports = {model: said for model, said in self._reports.items() if model in first}
        if first:
            self._link.say(Look(tuple(first.values())))
            self._look_again()


class RemotePassage:
    """The Passage of a request that waits for the daemon's word, or has it in ``headers``.

    They are those of the moment in which the last lease was given.
    """

    __slots__ = ("_link", "headers", "number")

    def __init__(self, number: int, link: Link[FromDaemon]) -> None:
        self.number = number
        self._link = link
        self.headers: Mapping[str, str] = _NO_HEADERS

    def leave(self, status: int, prompt_tokens: int | None, output_tokens: int | None) -> None:
        """Count it out."""
        self._link.say(Leave(self.number, status, prompt_tokens, output_tokens))

    def lose(self) -> None:
        """Nothing to say: the daemon sees by itself that a worker has gone."""


class RemoteTicket:
    """The Ticket of a request that asked the daemon."""

    __slots__ = ("_coming", "_number", "_passage", "_remote", "lease", "model")

    def __init__(
        self, remote: Remote, number: int, model: str, passage: RemotePassage | None
    ) -> None:
        self._remote, self._number = remote, number
        self._passage = passage
        self._coming: asyncio.Future[RemoteLease] = asyncio.get_running_loop().create_future()
        self.model = model
        self.lease: None = None

    async def wait(self) -> "RemoteLease":
        """The lease; raises SparkwellError that says why there will be none."""
        self._remote.waits()
        try:
            return await self._coming
        except asyncio.CancelledError:
            self._remote.drop(self._number)
            raise

    def waiting(self) -> Waiting:
        """How far it is, as was heard last."""
        return self._remote.report(self.model)

    def grant(self, granted: Granted) -> None:
        """The daemon's answer: the lease."""
        if self._passage is not None:
            self._passage.headers = granted.headers
        endpoint = _endpoint(granted.uds, granted.port)
        lease = RemoteLease(
            granted.instance,
            granted.model,
            endpoint,
            granted.queued_s,
            granted.load_s,
            lambda: self._remote.drop(self._number),
        )
        if not self._coming.done():
            self._coming.set_result(lease)

    def refuse(self, refused: Refused) -> None:
        """The daemon's answer: why there is none. A mistake of its own is one here, too."""
        if self._passage is not None:
            self._passage.headers = refused.headers
        fault = refused.fault
        self.fail(error_of(fault) if fault is not None else RuntimeError("the daemon failed"))

    def fail(self, error: Exception) -> None:
        """There will be no lease."""
        if not self._coming.done():
            self._coming.set_exception(error)
            self._coming.exception()  # seen: a client that has gone leaves no complaint in the log


@dataclass(slots=True)  # frozen would cost three times as much to make, once a request
class RemoteLease:
    """The Lease that a worker has from the daemon."""

    instance: str
    model: str
    endpoint: Endpoint
    queued_s: float
    load_s: float
    release: Callable[[], None]


def gone() -> SparkwellError:
    """Nobody is there who could say which engine is free."""
    return NotReadyError("Sparkwell is ending.", hint="Try again in a moment.")
