"""One connection to an engine: a request out, its answer in."""

import asyncio
from collections.abc import Sequence
from typing import Protocol, cast

import httptools

from sparkwell.gateway.wire.answer import AnswerReader
from sparkwell.gateway.wire.errors import BrokenOffError, NotHttpError, UnansweredError
from sparkwell.gateway.wire.head import AnswerHead

_MOST_WAITING = 256 * 1024
_TOGETHER = 64 * 1024


class Sink(Protocol):
    """Who takes an answer's body."""

    def take(self, pieces: Sequence[bytes], *, last: bool) -> None:
        """Take pieces of the body; ``last`` tells that there are no more."""
        ...


class EngineConnection(asyncio.Protocol):
    """Asks one engine, one request at a time.

    ``ask`` sends a request and returns when the head of its answer is there; then ``pour`` gives
    the body to a sink and returns at its end. While nobody has asked for the body no more than a
    few reads of it are taken in. ``alive`` tells whether it can be asked again.
    """

    __slots__ = ("_arrived", "_done", "_loop", "_reader", "_sink", "_transport", "alive", "idle_at")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = AnswerReader()
        self._arrived: asyncio.Future[None] | None = None
        self._done: asyncio.Future[None] | None = None
        self._sink: Sink | None = None
        self.alive = True
        self.idle_at = 0.0

    @property
    def status(self) -> int:
        """The answer's status."""
        return self._reader.status

    @property
    def head(self) -> AnswerHead:
        """The answer's head."""
        return self._reader.head

    @property
    def length(self) -> int | None:
        """The body's length in bytes, where the engine says it."""
        return self._reader.length

    async def ask(self, head: bytes, body: bytes) -> None:
        """Send a request; return when the head of its answer has come.

        Raises UnansweredError where nothing has come, NotHttpError where it cannot be read.
        """
        self._reader.begin()
        self._sink = self._done = None
        self._arrived = self._loop.create_future()
        if len(body) > _TOGETHER:
            self._transport.write(head)
            self._transport.write(body)
        else:
            self._transport.write(head + body)
        await self._arrived

    def whole(self) -> bytes | None:
        """The body, if all of it has come with the head; else None."""
        if not self._reader.complete:
            return None
        pieces, self._reader.pieces = self._reader.pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def pour(self, sink: Sink) -> None:
        """Give the body to a sink, piece by piece; return at its end.

        Where more had come than is kept, reading stands still: ``resume`` is the caller's to say.
        Raises BrokenOffError where the engine ends before its answer does.
        """
        self._sink = sink
        self._done = self._loop.create_future()
        if self._reader.complete or self._reader.pieces:
            self._pass_on()
        elif not self.alive:
            raise _broken_off()
        if not self._done.done():
            await self._done

    def pause(self) -> None:
        """Take nothing more from the engine: its answer is not read."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Go on taking."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """End the connection. An engine that is answering stops by that."""
        self.alive = False
        self._transport.abort()

    @property
    def can_go_on(self) -> bool:
        """Whether the answer has been read to its end, and another can be asked for."""
        return self.alive and self._reader.complete and self._reader.keep_alive

    # ── what the event loop calls ───────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The engine has taken the connection."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by type

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer have come."""
        reader = self._reader
        if self._arrived is None or reader.complete:  # nobody has asked
            self.close()
            return
        try:
            reader.feed(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(NotHttpError(f"The engine's answer is not HTTP: {error}."))
            return
        if self._sink is not None:
            self._pass_on()
            return
        if not reader.status:
            return
        self._tell(self._arrived)
        if sum(map(len, reader.pieces)) > _MOST_WAITING:
            self._transport.pause_reading()

    def connection_lost(self, _exc: Exception | None) -> None:
        """The engine has closed the connection, or ended."""
        self.alive = False
        if self._reader.ended():
            self._tell(self._arrived)
            if self._sink is not None:
                self._pass_on()
            return
        self._fail(
            _broken_off()
            if self._reader.status
            else UnansweredError("The engine ended before it answered.")
        )

    def _pass_on(self) -> None:
        reader, sink, done = self._reader, self._sink, self._done
        if sink is None or done is None or done.done():
            return
        pieces, reader.pieces = reader.pieces, []
        sink.take(pieces, last=reader.complete)
        if reader.complete:
            done.set_result(None)

    def _fail(self, error: Exception) -> None:
        waits = self._done if self._done is not None else self._arrived
        if waits is not None and not waits.done():
            waits.set_exception(error)
        if self.alive:
            self.close()

    @staticmethod
    def _tell(waits: "asyncio.Future[None] | None") -> None:
        if waits is not None and not waits.done():
            waits.set_result(None)


def _broken_off() -> BrokenOffError:
    return BrokenOffError("The engine ended while it was answering.")
