"""Connections to engines, kept for the next request."""

import asyncio
import os
import time

from sparkwell.core.launch import Endpoint
from sparkwell.gateway.wire.engine import EngineConnection
from sparkwell.gateway.wire.errors import UnreachableError

# vLLM closes idle connections after 5 s; a POST on one that it is just closing would be lost.
KEEP_ALIVE_S = 4.0
CONNECT_S = 10.0
MOST_IDLE = 256


class Engines:
    """A pool of connections to each engine, the one used last first."""

    def __init__(self) -> None:
        self._idle: dict[Endpoint, list[EngineConnection]] = {}

    def ask(self, endpoint: Endpoint, head: bytes, body: bytes) -> "Asked":
        """Send a request: ``async with`` gives a connection on which the answer's head has come.

        Leaving the block before the answer's end closes the connection, which stops the engine.
        Raises UnreachableError where nothing of an answer has come, NotHttpError where it cannot
        be read.
        """
        return Asked(self, endpoint, head, body)

    async def take(self, endpoint: Endpoint) -> EngineConnection:
        """A connection that nobody uses; raises UnreachableError where none can be made."""
        return self._kept(endpoint) or await _connect(endpoint)

    def give_back(self, endpoint: Endpoint, connection: EngineConnection) -> None:
        """Keep a connection for the next request; one whose answer has not ended is closed."""
        if connection.can_go_on:
            connection.resume()  # a slow client may have had it paused, right to the end
            self._keep(endpoint, connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close all connections that nobody uses."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    def _kept(self, endpoint: Endpoint) -> EngineConnection | None:
        idle = self._idle.get(endpoint)
        oldest = time.monotonic() - KEEP_ALIVE_S
        while idle:
            connection = idle.pop()
            if connection.alive and connection.idle_at > oldest:
                return connection
            connection.close()
        return None

    def _keep(self, endpoint: Endpoint, connection: EngineConnection) -> None:
        idle = self._idle.get(endpoint)
        if idle is None:
            self._forget_the_gone()
            idle = self._idle[endpoint] = []
        if len(idle) >= MOST_IDLE:
            idle.pop(0).close()
        connection.idle_at = time.monotonic()
        idle.append(connection)

    def _forget_the_gone(self) -> None:
        """Every start of an engine has a socket of its own; those of ended ones are left."""
        for endpoint in [known for known in self._idle if _has_gone(known)]:
            for connection in self._idle.pop(endpoint):
                connection.close()


class Asked:
    """One request on its way; a class, for a generator would take 20 µs more."""

    __slots__ = ("_body", "_connection", "_endpoint", "_engines", "_head")

    def __init__(self, engines: Engines, endpoint: Endpoint, head: bytes, body: bytes) -> None:
        self._engines, self._endpoint = engines, endpoint
        self._head, self._body = head, body
        self._connection: EngineConnection | None = None

    async def __aenter__(self) -> EngineConnection:
        """Send it; the connection, when the head of the answer has come."""
        connection = await self._engines.take(self._endpoint)
        try:
            await connection.ask(self._head, self._body)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    async def __aexit__(self, *_: object) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._engines.give_back(self._endpoint, self._connection)


async def _connect(endpoint: Endpoint) -> EngineConnection:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_S):
            if endpoint.uds is not None:
                _, connection = await loop.create_unix_connection(EngineConnection, endpoint.uds)
            else:
                _, connection = await loop.create_connection(
                    EngineConnection, "127.0.0.1", endpoint.port or 0
                )
    except OSError as error:  # TimeoutError is one
        raise UnreachableError("The engine cannot be reached; it may just have ended.") from error
    return connection


def _has_gone(endpoint: Endpoint) -> bool:
    return endpoint.uds is not None and not os.path.exists(endpoint.uds)  # noqa: PTH110
