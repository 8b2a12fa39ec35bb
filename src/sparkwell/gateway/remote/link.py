"""One end of the connection between daemon and worker: messages in, messages out, in frames."""

import asyncio
import logging
from collections.abc import Callable
from typing import Generic, TypeVar, cast

import msgspec

from sparkwell.gateway.remote.messages import FromDaemon, FromWorker, Message

logger = logging.getLogger(__name__)
_LENGTH_BYTES = 4
_MOST_BYTES = 64 * 2**20
"""No frame is as long; what says so is none of ours."""
_ENCODER = msgspec.msgpack.Encoder()
T = TypeVar("T")


class Link(asyncio.Protocol, Generic[T]):
    """Hands over what comes to ``take``, and says what is to be said.

    What is said in one turn of the event loop goes out together: under load one system call
    carries many messages. After the end, of which ``lost`` is told once, nothing is said any more.
    """

    __slots__ = ("_buffer", "_decoder", "_loop", "_lost", "_said", "_take", "_transport", "open")

    def __init__(
        self,
        decoder: "msgspec.msgpack.Decoder[list[T]]",
        take: Callable[[T], None],
        lost: Callable[[], None],
    ) -> None:
        self._decoder, self._take, self._lost = decoder, take, lost
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._said: list[Message] = []
        self._transport: asyncio.Transport | None = None
        self.open = False

    def say(self, message: Message) -> None:
        """Send a message soon, after those before it."""
        if not self.open:
            return
        if not self._said:
            self._loop.call_soon(self.flush)
        self._said.append(message)

    def flush(self) -> None:
        """Send now what was said."""
        said, self._said = self._said, []
        if said and self._transport is not None:
            frame = _ENCODER.encode(said)
            self._transport.write(len(frame).to_bytes(_LENGTH_BYTES, "big") + frame)

    def close(self) -> None:
        """End it, when all that was said has been sent."""
        self.flush()
        if self._transport is not None:
            self._transport.close()

    # ── what the event loop calls ───────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The other end is there."""
        # uvloop's are not asyncio's by descent.
        self._transport = cast("asyncio.Transport", transport)
        self.open = True

    def connection_lost(self, _exc: Exception | None) -> None:
        """The other end has gone."""
        self.open = False
        self._said.clear()
        self._lost()

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self._buffer += data
        try:
            while (frame := self._next()) is not None:
                self._take_all(self._decoder.decode(frame))
        except (msgspec.MsgspecError, ValueError):
            logger.exception("What came from a gateway's process, or for it, cannot be read")
            if self._transport is not None:
                self._transport.abort()

    def _take_all(self, messages: list[T]) -> None:
        for message in messages:
            try:
                self._take(message)
            except Exception:  # one request's trouble is not that of all others
                logger.exception("A message was not dealt with: %s", type(message).__name__)

    def _next(self) -> bytes | None:
        """The next whole frame; raises ValueError for one that cannot be."""
        buffer = self._buffer
        if len(buffer) < _LENGTH_BYTES:
            return None
        end = _LENGTH_BYTES + int.from_bytes(buffer[:_LENGTH_BYTES], "big")
        if end > _MOST_BYTES:
            raise ValueError(f"a frame of {end} bytes")
        if len(buffer) < end:
            return None
        frame = bytes(buffer[_LENGTH_BYTES:end])
        del buffer[:end]
        return frame


def daemon_side(take: Callable[[FromWorker], None], lost: Callable[[], None]) -> "Link[FromWorker]":
    """The daemon's end."""
    return Link(msgspec.msgpack.Decoder(list[FromWorker]), take, lost)


def worker_side(take: Callable[[FromDaemon], None], lost: Callable[[], None]) -> "Link[FromDaemon]":
    """A worker's end."""
    return Link(msgspec.msgpack.Decoder(list[FromDaemon]), take, lost)
