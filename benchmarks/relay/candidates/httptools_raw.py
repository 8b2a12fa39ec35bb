"""Two asyncio protocols over httptools, without a framework: one serves, one asks.

The engine's bytes pass as they are; its parser only says where the head and the answer end. A slow
reader pauses whoever writes to it. One sweep a second cuts connections on which too long nothing
happened: time-outs without a timer for each request.
"""

import asyncio
import sys
import time
from asyncio import transports
from typing import cast

import httptools

import contract

HEAD_LIMIT = 32 * 1024
PATIENCE_S = 30.0
IDLE_S = 4.0
_STATUS = {400: b"Bad Request", 404: b"Not Found", 413: b"Content Too Large", 502: b"Bad Gateway"}
_ASK = (
    b"POST %s HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n" % (contract.PATH.encode(), 0)
).partition(b"0\r\n\r\n")[0]


class Client(asyncio.Protocol):
    """A client's connection: its requests one after another."""

    def __init__(self, relay: "Relay") -> None:
        self._relay = relay
        self._parser = httptools.HttpRequestParser(self)
        self._engine: Engine | None = None
        self._waiting = bytearray()  # what came while an answer was under way
        self._start()

    def _start(self) -> None:
        self._url = b""
        self._body: list[bytes] = []
        self._size = self._head = 0
        self.since: float | None = None

    def connection_made(self, transport: transports.BaseTransport) -> None:
        """Know it, for the sweep."""
        self.transport = cast("transports.Transport", transport)  # uvloop's is no subclass
        self._relay.clients.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Who has left wants no answer."""
        self._relay.clients.discard(self)
        if self._engine:
            self._engine.abandon()

    def data_received(self, data: bytes) -> None:
        """Read a request; what comes during an answer waits."""
        if self._engine:
            self._waiting += data
            if len(self._waiting) > HEAD_LIMIT:
                self.transport.pause_reading()
            return
        self.since = self.since or time.monotonic()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.refuse(400)

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Only how much they are counts here."""
        self._head += len(name) + len(value)
        if self._head > HEAD_LIMIT:
            self.refuse(400)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._size += len(body)
        if self._size > contract.BODY_LIMIT:
            return self.refuse(413)
        return self._body.append(body)

    def on_message_complete(self) -> None:
        """The request is whole: ask the upstream."""
        body = b"".join(self._body)
        if self._url != contract.PATH.encode() or self._parser.get_method() != b"POST":
            return self.refuse(404)
        try:
            contract.model_of(body)
        except (ValueError, LookupError):
            return self.refuse(404)
        self.since = None
        self._engine = self._relay.engine()
        return self._engine.ask(self, b"%s%d\r\n\r\n%s" % (_ASK, len(body), body))

    def refuse(self, status: int) -> None:
        """Answer in its place, and close."""
        if not self.transport.is_closing():
            line = b"HTTP/1.1 %d %s\r\n" % (status, _STATUS[status])
            self.transport.write(line + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            self.transport.close()

    def answered(self) -> None:
        """The answer is whole; on with what came meanwhile."""
        self._engine = None
        self._start()
        if self._waiting:
            data, self._waiting = bytes(self._waiting), bytearray()
            self.transport.resume_reading()
            self.data_received(data)

    def pause_writing(self) -> None:
        """The client reads slowly: so may the upstream write."""
        if self._engine:
            self._engine.transport.pause_reading()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._engine:
            self._engine.transport.resume_reading()


class Engine(asyncio.Protocol):
    """A connection to the upstream, for one client at a time."""

    transport: transports.Transport

    def __init__(self, relay: "Relay") -> None:
        self._relay = relay
        self._client: Client | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._complete = self._connected = False
        self._request = b""
        self.idle_since = 0.0

    def connection_made(self, transport: transports.BaseTransport) -> None:
        """Send what was to be asked, if anybody still wants it."""
        self.transport = cast("transports.Transport", transport)
        self._connected = True
        if self._client is None:
            return self.transport.abort()
        return self.transport.write(self._request)

    def connection_lost(self, _exc: Exception | None) -> None:
        """The client gets an error, or sees its answer cut."""
        self._relay.forget(self)
        if self._client:
            self._client.transport.close() if self._parser else self._client.refuse(502)

    def ask(self, client: Client, request: bytes) -> None:
        """Send a client's request."""
        self._client, self._request = client, request
        self._parser, self._complete = None, False
        if self._connected:
            self.transport.write(request)

    def abandon(self) -> None:
        """The client has gone: the upstream shall stop."""
        self._client = None
        if self._connected:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Pass it on; look for the end only."""
        client = self._client
        if client is None:
            return self.transport.abort()
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        client.transport.write(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            return client.transport.abort()
        if self._complete:
            self._client = None
            self._relay.give_back(self)
            client.answered()
        return None

    def on_message_complete(self) -> None:
        """The parser has seen the end."""
        self._complete = True

    def pause_writing(self) -> None:
        """The upstream reads slowly."""
        if self._client:
            self._client.transport.pause_reading()

    def resume_writing(self) -> None:
        """It has caught up."""
        if self._client:
            self._client.transport.resume_reading()


class Relay:
    """All connections, and the sweep over them."""

    def __init__(self) -> None:
        self.clients: set[Client] = set()
        self._idle: list[Engine] = []
        self._connecting: set[asyncio.Task[object]] = set()

    def engine(self) -> Engine:
        """One that is idle, or a new one."""
        if self._idle:
            return self._idle.pop()
        engine = Engine(self)
        task: asyncio.Task[object] = asyncio.create_task(self._connect(engine))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return engine

    async def _connect(self, engine: Engine) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_unix_connection(lambda: engine, contract.upstream_socket())
        except OSError:
            engine.connection_lost(None)

    def give_back(self, engine: Engine) -> None:
        """It has answered."""
        engine.idle_since = time.monotonic()
        self._idle.append(engine)

    def forget(self, engine: Engine) -> None:
        """It has gone."""
        if engine in self._idle:
            self._idle.remove(engine)

    async def sweep(self) -> None:
        """Cut clients that do not finish a request, and connections that are idle too long."""
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            for client in [c for c in self.clients if c.since and now - c.since > PATIENCE_S]:
                client.transport.abort()
            for engine in [e for e in self._idle if now - e.idle_since > IDLE_S]:
                engine.transport.close()


async def main(port: int) -> None:
    """Serve until killed."""
    relay = Relay()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Client(relay), "127.0.0.1", port)
    async with server:
        await relay.sweep()


if __name__ == "__main__":
    if sys.argv[2] == "uvloop":
        import uvloop

        uvloop.run(main(int(sys.argv[1])))
    asyncio.run(main(int(sys.argv[1])))
