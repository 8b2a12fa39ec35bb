"""One connection to the endpoint that is measured: a request at a time, read as it comes.

Own code, because the field's clients take so long for an event that they measure themselves on a
small machine: docs/decisions/0027-load.md has the figures.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import httptools

from sparkwell.bench.sample import Reading, Sample

CONNECT_S = 10.0
_REFUSAL_BYTES = 4096
_CLOSED = "the connection was closed before anything was asked"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to ask: ``path`` below ``host`` and ``port``, over the Unix socket ``uds`` if given.

    ``trust`` is None without TLS.
    """

    host: str
    port: int
    path: str = "/v1/completions"
    key: str | None = None
    trust: ssl.SSLContext | None = None
    uds: str | None = None

    def request(self, body: bytes) -> bytes:
        """A POST of that body, as it goes over the wire."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        head = f"POST {self.path} HTTP/1.1\r\nHost: {name}:{self.port}\r\n"
        head += "Content-Type: application/json\r\nAccept: text/event-stream\r\n"
        head += f"Authorization: Bearer {self.key}\r\n" if self.key else ""
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Connection(asyncio.Protocol):
    """Opened when it is first needed, and again where the other side closed it between requests."""

    def __init__(self, target: Target, clock: Callable[[], float]) -> None:
        self._target, self._clock = target, clock
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._reading: Reading | None = None
        self._over: asyncio.Future[None] | None = None
        self._now_s, self._early = 0.0, b""

    async def open(self) -> None:
        """Connect, unless it is connected. Raises OSError where nobody takes it.

        The other side may have closed it by the time this returns, with or without a word.
        """
        if self._is_open:
            return
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._connect(self._target, asyncio.get_running_loop())
        except TimeoutError:
            raise ConnectionError(f"no connection within {CONNECT_S:g} s") from None

    @property
    def _is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, body: bytes, sample: Sample, limit_s: float) -> None:
        """Send one request; ``sample`` is filled in as its answer comes, or says why none came."""
        reading = Reading(sample)
        try:
            async with asyncio.timeout(limit_s):
                await self.open()
                await self._exchange(self._target.request(body), reading)
        except TimeoutError:
            reading.fail(f"no whole answer within {limit_s:g} s", self._clock())
            self.close()
        except OSError as error:
            reading.fail(str(error) or type(error).__name__, self._clock())
        except asyncio.CancelledError:
            reading.fail("broken off", self._clock())
            self.close()
            raise

    def close(self) -> None:
        """Cut it."""
        self._reading = None
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    async def _connect(self, target: Target, loop: asyncio.AbstractEventLoop) -> None:
        if target.uds is not None:
            await loop.create_unix_connection(lambda: self, target.uds)
        else:
            await loop.create_connection(lambda: self, target.host, target.port, ssl=target.trust)

    async def _exchange(self, request: bytes, reading: Reading) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._over = asyncio.get_running_loop().create_future()
        self._reading = reading
        reading.sample.sent_s = self._clock()
        early, self._early = self._early, b""
        if early:  # a refusal, before anything was asked
            self.data_received(early)
        if self._transport is None or self._transport.is_closing():
            self._done(_CLOSED)
        elif not self._over.done():
            self._transport.write(request)
        await self._over

    def _done(self, failed: str | None = None) -> None:
        reading, self._reading = self._reading, None
        if reading is None or self._over is None or self._over.done():
            return
        if failed is None:
            reading.end(self._now_s)
        else:
            reading.fail(failed, self._clock())
        self._over.set_result(None)

    # ── what the event loop calls ───────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.Transport", transport)
        self._parser, self._early = None, b""

    def data_received(self, data: bytes) -> None:
        """All that came with one read came at the same time."""
        self._now_s = self._clock()
        if self._parser is None or self._reading is None:
            self._not_asked(data)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._done(f"this is no HTTP: {error}")
            self.close()

    def _not_asked(self, data: bytes) -> None:
        """Before the first request it is why there will be no answer; later it is noise."""
        if self._parser is None and len(self._early) < _REFUSAL_BYTES:
            self._early += data
        else:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side has ended it."""
        self._transport = None
        self._done(f"the connection was cut{f': {exc}' if exc else ''}")

    # ── what the parser calls ───────────────────────────────────────────────────────────────

    def on_headers_complete(self) -> None:
        """The status is known."""
        if self._reading is not None and self._parser is not None:
            self._reading.sample.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        """A part of the answer."""
        if self._reading is not None:
            self._reading.take(body, self._now_s)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        keeps = self._parser is not None and self._parser.should_keep_alive()
        self._done()
        if not keeps:
            self.close()
