"""One client's connection: requests in, one after the other, and their answers out."""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, cast

from sparkwell.core.errors import SparkwellError
from sparkwell.gateway.wire.errors import EndingError, TooSlowError
from sparkwell.gateway.wire.head import Entry, Head, Request
from sparkwell.gateway.wire.incoming import RequestReader
from sparkwell.gateway.wire.limits import Limits
from sparkwell.gateway.wire.reply import Feeder, Reply
from sparkwell.gateway.wire.stillness import Stillness, has_left

logger = logging.getLogger(__name__)
_HIGH = 64 * 1024
_MOST_PENDING = 256 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_NOBODY = ""
"""The address of who has gone before it could be asked for: no address of this machine's."""


class Keeper(Protocol):
    """The server that a connection belongs to."""

    @property
    def limits(self) -> Limits:
        """What a client may take."""
        ...

    @property
    def ending(self) -> bool:
        """Whether no further request is taken."""
        ...

    def came(self, connection: "ClientConnection") -> bool:
        """A client has come; False where there are too many."""
        ...

    def went(self, connection: "ClientConnection") -> None:
        """It has gone."""
        ...

    def admit(self, head: Head, peer: str | None) -> Entry:
        """As what a request is let in; raises SparkwellError to refuse it."""
        ...

    def handle(self, request: Request, reply: Reply) -> Coroutine[Any, Any, None]:
        """Answer a request; cancelled when the client goes away."""
        ...

    def refuse(self, head: Head | None, reply: Reply, error: SparkwellError) -> None:
        """Answer with an error."""
        ...

    def date_line(self) -> bytes:
        """The Date header's line."""
        ...


@dataclass(frozen=True, slots=True)
class _Refused:
    """A request that is not let in; its short body is read, so that the connection can go on."""

    error: SparkwellError
    most_body: int = 64 * 1024


class ClientConnection(asyncio.Protocol):
    """Takes requests from one client, and gives them to the server one at a time.

    A request is refused as soon as its head is there; where its body is short, or has come, the
    connection goes on after that. While an answer is on its way the client is still heard, so that
    its leaving is noticed at once. ``look`` is called now and then, and sees to the times.
    """

    __slots__ = (
        "_began",
        "_eof",
        "_feeder",
        "_idle",
        "_is_deaf",
        "_is_full",
        "_keeper",
        "_lingers",
        "_loop",
        "_pending",
        "_reader",
        "_reply",
        "_since",
        "_stillness",
        "_task",
        "_transport",
        "_turn",
        "peer",
        "tls",
    )

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader(self, keeper.limits)
        self._pending: deque[tuple[Head, bytes, Entry]] = deque()
        self._reply: Reply | None = None
        self._task: asyncio.Task[None] | None = None
        self._turn: tuple[Request, Reply] | None = None
        self._idle: asyncio.Future[None] | None = None
        self._stillness: Stillness | None = None
        self._lingers = self._eof = self._is_deaf = self._is_full = False
        self._began = self._since = self._loop.time()
        self._feeder: Feeder | None = None
        self.peer: str | None = None
        self.tls = False

    # ── what the event loop calls ───────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._transport = stream = cast("asyncio.Transport", transport)  # uvloop's is none by type
        stream.set_write_buffer_limits(high=_HIGH)
        name = transport.get_extra_info("peername")
        self.peer = name[0] if isinstance(name, tuple) else _NOBODY
        self.tls = transport.get_extra_info("ssl_object") is not None
        if not self._keeper.came(self):
            self._refuse_now(None, EndingError("There are too many connections."))

    def connection_lost(self, _exc: Exception | None) -> None:
        """The client has gone: whatever is being done for it is not wanted any more."""
        self._eof = True
        self._pending.clear()
        if self._task is not None:
            self._task.cancel()
        self.resume_writing()
        self._keeper.went(self)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._lingers:
            return
        began = self._reader.in_head or self._reader.in_body
        try:
            self._reader.feed(data)
        except SparkwellError as error:
            self._refuse_now(None, error)
            return
        if self._reader.in_head and not began:
            self._began = self._loop.time()
        elif self._reader.in_body:
            self._since = self._loop.time()
        if self._too_many_wait:
            self._is_deaf = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """A client that says no more wants no answer either; so it is with most servers.

        What has been written is sent to its end; an answer that is on its way is not waited for.
        """
        if self._reply is not None:
            self._transport.abort()
        return False

    def pause_writing(self) -> None:
        """The client reads slower than its answer comes; its next request has to wait."""
        self._is_full = True
        self._stillness = self._stillness or Stillness(self._transport)
        if self._feeder is not None:
            self._feeder.pause()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._is_full = False
        if not self._lingers:
            self._stillness = None
        if self._feeder is not None:
            self._feeder.resume()
        if self._pending:
            self._loop.call_soon(self._go_on)

    # ── what the reader calls ───────────────────────────────────────────────────────────────

    def head_came(self, head: Head) -> Entry:
        """Ask at the door, before a body is taken in."""
        self._began = self._since = self._loop.time()
        expects = head.text(b"expect")
        try:
            entry = self._keeper.admit(head, self.peer)
        except SparkwellError as error:
            refused = _Refused(error)
            if expects or head.chunked or (head.length or 0) > refused.most_body:
                raise
            return refused
        if expects is not None and expects.lower() == "100-continue" and self._reply is None:
            self._transport.write(_CONTINUE)
        return entry

    def request_came(self, head: Head, body: bytes, entry: Entry) -> None:
        """Answer it, when those before it are answered."""
        if self._lingers:
            return  # the connection ended with the answer before
        self._pending.append((head, body, entry))
        self._go_on()

    # ── answering ───────────────────────────────────────────────────────────────────────────

    def send(self, data: bytes) -> None:
        """Write to the client, if it is still there."""
        if not self._lingers and not self._transport.is_closing():
            self._transport.write(data)

    def fed_by(self, feeder: Feeder) -> None:
        """Have somebody give an answer's body, as fast as the client takes it."""
        self._feeder = feeder
        if self._is_full:  # of what was sent before: nobody will say so again
            feeder.pause()
        else:
            feeder.resume()

    def date_line(self) -> bytes:
        """The Date header's line."""
        return self._keeper.date_line()

    def abort(self) -> None:
        """Cut the connection: the client must not take what it has for a whole answer."""
        self._transport.abort()

    def close_if_idle(self) -> None:
        """End the connection unless a request is being answered; one half sent is refused."""
        if self._lingers:
            self._transport.abort()
        elif self._reply is not None:
            self._reply.closing = True
        elif self._reader.in_head or self._reader.in_body:
            self._refuse_now(None, EndingError("The gateway is ending."))
        else:
            self._transport.close()

    @property
    def _too_many_wait(self) -> bool:
        """Whether requests that came before their turn are many, or large."""
        if len(self._pending) >= self._keeper.limits.pipelined:
            return True
        return sum(len(body) for _, body, _ in self._pending) > _MOST_PENDING

    def _next(self) -> None:
        head, body, entry = self._pending.popleft()
        if self._is_deaf and not self._too_many_wait and not self._transport.is_closing():
            self._is_deaf = False
            self._transport.resume_reading()
        reply = self._reply = Reply(self, head)
        if self._keeper.ending:
            reply.closing = True
        if isinstance(entry, _Refused):
            self._keeper.refuse(head, reply, entry.error)
            self._over(reply)
            return
        self._turn = Request(head, body, entry, self.peer, self.tls), reply
        if self._task is None:
            self._task = self._loop.create_task(self._answer_all())
        elif self._idle is not None:
            self._idle.set_result(None)

    async def _answer_all(self) -> None:
        """One task for all requests of a connection: to make one for each takes longer."""
        try:
            while True:
                if self._turn is None:
                    self._idle = self._loop.create_future()
                    await self._idle
                await self._answer()
        finally:
            self._task = None

    async def _answer(self) -> None:
        assert self._turn is not None  # noqa: S101 - whoever wakes the task has set it
        (request, reply), self._turn, self._idle = self._turn, None, None
        try:
            await self._keeper.handle(request, reply)
        except asyncio.CancelledError:
            if not self._eof:
                self.abort()
            raise
        finally:
            self._over(reply)

    def _over(self, reply: Reply) -> None:
        self._reply = self._feeder = None
        self._began = self._since = self._loop.time()
        if reply.closing or not reply.complete:
            self._end()
        elif self._pending:
            self._loop.call_soon(self._go_on)

    def _end(self) -> None:
        """Send what is written, then end; what the client still sends is read and thrown away.

        To close at once would make the kernel reset the connection where there is something
        unread, and the client would lose its answer. One that is not whole has no end.
        """
        self._lingers = True
        self._pending.clear()
        self._stillness = Stillness(self._transport)
        if self._transport.is_closing():
            return
        self._transport.resume_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _go_on(self) -> None:
        """The next request, when the answer before it is over and the client has taken its part."""
        if self._pending and self._reply is None and not self._is_full:
            self._next()

    def _refuse_now(self, head: Head | None, error: SparkwellError) -> None:
        """Say why, and end: the rest of the bytes cannot be understood, or is not wanted."""
        self._since = self._loop.time()
        if self._reply is not None or self._pending:
            # An answer is on its way, or comes first; its client broke the rules meanwhile.
            self._lingers = True
            self._transport.abort()
            return
        self._keeper.refuse(head, Reply(self, head), error)
        self._end()

    # ── time ────────────────────────────────────────────────────────────────────────────────

    def look(self, now: float) -> None:
        """End what takes too long."""
        limits, reader = self._keeper.limits, self._reader
        if self._is_deaf and has_left(self._transport):
            self._transport.abort()
        elif self._lingers:
            self._look_at_the_end(now, limits)
        elif self._reply is not None or self._is_full:
            self._look_at_reading(now, limits)
        elif reader.in_body:
            self._look_at_body(now, limits)
        elif reader.in_head:
            if now - self._began > limits.head_s:
                self._refuse_now(None, TooSlowError("The headers did not come in time."))
        elif now - self._since > limits.idle_s:
            self._since = now
            self._end()  # not just closed: that would wait for ever for who takes nothing

    def _look_at_the_end(self, now: float, limits: Limits) -> None:
        if self._stillness is not None and self._stillness.waits:
            self._since = now
            self._look_at_reading(now, limits)
        elif now - self._since > limits.linger_s:
            self._transport.abort()

    def _look_at_reading(self, now: float, limits: Limits) -> None:
        if self._stillness is not None and self._stillness.for_s(now) > limits.send_s:
            logger.warning("A client read nothing for %.0f s: its answer is cut", limits.send_s)
            self._transport.abort()

    def _look_at_body(self, now: float, limits: Limits) -> None:
        took_s = now - self._began
        slow = took_s > limits.body_s and self._reader.received < took_s * limits.body_rate
        if slow or now - self._since > limits.body_s:
            self._refuse_now(None, TooSlowError("The body did not come in time."))
