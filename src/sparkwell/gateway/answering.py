"""One request's way: the wait for its model, the engine's answer, a second try if there is none."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from functools import lru_cache

from sparkwell.core.errors import SparkwellError
from sparkwell.core.keys import NOTHING, Usage
from sparkwell.gateway import headers
from sparkwell.gateway.backend import Backend, Lease, Model, Ticket
from sparkwell.gateway.comments import Pace, arrived
from sparkwell.gateway.engine_errors import error_of
from sparkwell.gateway.envelope import error_event, object_of
from sparkwell.gateway.herald import Herald
from sparkwell.gateway.keys.seam import Passage
from sparkwell.gateway.passing import pass_on, pump
from sparkwell.gateway.request import ModelRequest
from sparkwell.gateway.sending import Asking
from sparkwell.gateway.telling import told
from sparkwell.gateway.wire.engine import EngineConnection
from sparkwell.gateway.wire.errors import UnreachableError
from sparkwell.gateway.wire.pool import Engines
from sparkwell.gateway.wire.reply import Reply

logger = logging.getLogger(__name__)


class Answering:
    """Answers one request for a model. To be used in the request's own task, once.

    ``usage`` is what the answer said that it used, when it has been passed on.
    """

    __slots__ = (
        "_asked",
        "_asking",
        "_backend",
        "_engines",
        "_herald",
        "_load_s",
        "_model",
        "_passage",
        "_pauses_s",
        "_priority",
        "_queued_s",
        "_reply",
        "_resent",
        "usage",
    )

    def __init__(
        self,
        backend: Backend,
        engines: Engines,
        pace: Pace,
        *,
        asking: Asking,
        reply: Reply,
        asked: ModelRequest,
        model: Model,
        passage: Passage,
        priority: int = 0,
    ) -> None:
        self._backend, self._engines = backend, engines
        self._asking, self._reply = asking, reply
        self._asked, self._model = asked, model
        self._passage, self._priority = passage, priority
        self._herald = Herald(reply, pace) if asked.stream else None
        self._pauses_s: Iterator[float] = iter(pace.pauses_s)
        self._resent = False
        self._queued_s = self._load_s = 0.0
        self.usage = NOTHING

    async def answer(self) -> None:
        """Send the response. When the client goes away this coroutine is cancelled.

        A request that waits is withdrawn then, and an engine that answers is stopped. Raises
        SparkwellError while nothing has been sent.
        """
        try:
            await self._answered()
        except SparkwellError as error:
            if not self._has_begun():
                raise
            self._end_with(object_of(error), error.http_status)
        finally:
            self._has_begun()

    async def _answered(self) -> None:
        while True:
            try:
                return await self._attempt()
            except UnreachableError as error:
                await self._ask_again(error)

    async def _attempt(self) -> None:
        """Raises UnreachableError while nothing of an answer has come, and only then."""
        ticket = self._backend.ensure_ready(
            self._model.name, priority=self._priority, passage=self._passage
        )
        if self._herald is not None:
            self._herald.start(self._model.name)
        lease = ticket.lease or await self._waited(ticket)
        try:
            head, body = self._asking.to_engine(self._asked, self._model)
            async with self._engines.ask(lease.endpoint, head, body) as upstream:
                await self._relayed(upstream, lease)
        finally:
            lease.release()

    async def _waited(self, ticket: Ticket) -> Lease:
        if self._herald is None:
            lease = await ticket.wait()
        else:
            lease = await self._herald.waited(ticket)
        self._queued_s += lease.queued_s
        self._load_s += lease.load_s
        try:
            # Only now is it known by which name the engine goes.
            self._model = self._backend.resolve(self._asked.model)
        except BaseException:
            lease.release()
            raise
        return lease

    async def _ask_again(self, error: UnreachableError) -> None:
        """Return when the request may be asked once more; else raise the error.

        Generating has no effect but its answer, and nothing of that has come: so nothing happens
        twice that anybody sees. A request that was sent is sent a second time and not a third:
        it may be what ends the engine. One that could not be sent is tried until those who run
        the engine have noticed its end, and let it wait or refuse it.
        """
        if error.sent:
            if self._resent:
                raise error
            self._resent = True
        else:
            pause_s = next(self._pauses_s, None)
            if pause_s is None:
                raise error
            await asyncio.sleep(pause_s)
        logger.warning("%s: %s Asking again.", self._model.name, error.message)

    async def _relayed(self, upstream: EngineConnection, lease: Lease) -> None:
        drops, path = self._asking.adds_usage(self._asked), self._asking.path
        if not self._has_begun():
            limits = headers.fields(self._passage.headers)
            fields = told(upstream.head).fields + self._marks(lease) + limits
            await pass_on(
                upstream, self._reply, fields, path=path, drops_usage=drops, used=self._used
            )
        elif told(upstream.head).streams:
            queued, load = _ms(self._queued_s), _ms(self._load_s)
            self._reply.write((arrived(lease, queued, load),))
            await pump(upstream, self._reply, path=path, drops_usage=drops, used=self._used)
        else:
            self._end_with(await error_of(upstream), max(upstream.status, 400))

    def _has_begun(self) -> bool:
        """Let nobody else speak from now on; whether an answer has been begun."""
        return self._herald is not None and self._herald.hush()

    def _used(self, usage: Usage) -> None:
        self.usage = usage

    def _end_with(self, error: Mapping[str, object], status: int) -> None:
        """End a stream of events with an error.

        No ``data: [DONE]`` after it, which marks a whole answer: clients that know the error have
        stopped reading at it, and others shall not take an empty answer for a good one.
        """
        path = self._asking.path
        self._reply.write((error_event(error, status, path),), last=True)

    def _marks(self, lease: Lease) -> bytes:
        queued, load = _ms(self._queued_s), _ms(self._load_s)
        return _marks(lease.model, lease.instance, queued, load)


@lru_cache(256)
def _marks(model: str, instance: str, queued_ms: int, load_ms: int) -> bytes:
    """Which model answers, and what it took; mostly the same, for nothing was waited for."""
    return headers.fields(
        {
            headers.MODEL: model,
            headers.INSTANCE: instance,
            headers.QUEUED_MS: str(queued_ms),
            headers.LOAD_MS: str(load_ms),
        }
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
