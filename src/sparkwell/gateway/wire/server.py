"""Listens for clients, and looks after their connections."""

import asyncio
import logging
import ssl
from abc import ABC, abstractmethod
from contextlib import suppress

from sparkwell.core.errors import SparkwellError
from sparkwell.gateway.wire.connection import ClientConnection
from sparkwell.gateway.wire.framing import DateLine
from sparkwell.gateway.wire.head import Entry, Head, Request
from sparkwell.gateway.wire.limits import Limits
from sparkwell.gateway.wire.reply import Reply

logger = logging.getLogger(__name__)
_BACKLOG = 1024
_HANDSHAKE_S = 10.0


class Server(ABC):
    """A server of HTTP/1.1; what is answered is said by whoever derives from it."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.ending = False
        self._connections: set[ClientConnection] = set()
        self._servers: list[asyncio.Server] = []
        self._date = DateLine()
        self._looking: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()

    @abstractmethod
    def admit(self, head: Head, peer: str | None) -> Entry:
        """As what a request is let in; raises SparkwellError to refuse it."""

    @abstractmethod
    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer a request."""

    @abstractmethod
    def refuse(self, head: Head | None, reply: Reply, error: SparkwellError) -> None:
        """Answer with an error."""

    async def listen(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        shared: bool = False,
    ) -> int:
        """Take connections at an address; the port, which may have been given as 0.

        ``shared`` lets several processes have the port; the kernel deals out the connections.
        Raises OSError where the address cannot be had.
        """
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: ClientConnection(self),
            host,
            port,
            backlog=_BACKLOG,
            reuse_port=shared or None,
            ssl=tls,
            ssl_handshake_timeout=_HANDSHAKE_S if tls else None,
        )
        self._servers.append(server)
        if self._looking is None:
            self._looking = loop.create_task(self._look())
        return int(server.sockets[0].getsockname()[1])

    async def close(self, drain_s: float) -> None:
        """Take no more; requests that are being answered have ``drain_s`` seconds to end."""
        self.ending = True
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.close_if_idle()
        with suppress(TimeoutError):
            async with asyncio.timeout(drain_s):
                await self._all_gone()
        self.cut()
        await self._all_gone()
        if self._looking is not None:
            self._looking.cancel()

    async def _all_gone(self) -> None:
        """Connections end with their answers, and take the last bytes along."""
        if self._connections:
            self._empty.clear()
            await self._empty.wait()

    def cut(self) -> None:
        """Close every connection now, also those with a request on its way."""
        for connection in list(self._connections):
            connection.abort()

    @property
    def count(self) -> int:
        """Connections that are open."""
        return len(self._connections)

    # ── what connections call ───────────────────────────────────────────────────────────────

    def came(self, connection: ClientConnection) -> bool:
        """Count a client in; False where there are too many."""
        self._connections.add(connection)
        return len(self._connections) <= self.limits.connections and not self.ending

    def went(self, connection: ClientConnection) -> None:
        """Count it out."""
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    def date_line(self) -> bytes:
        """The Date header's line."""
        return self._date.now()

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.limits.look_s)
            for connection in list(self._connections):
                try:
                    connection.look(loop.time())
                except Exception:  # the others have their times all the same
                    logger.exception("A connection could not be looked at: it is cut")
                    connection.abort()
