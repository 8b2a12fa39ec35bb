"""Server-sent events: how they are written, kept alive, and ended with the daemon."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from aiohttp import web

from sparkwell.core.errors import SparkwellError
from sparkwell.web.access import SESSION, Session, Sessions
from sparkwell.web.shield import protect

logger = logging.getLogger(__name__)


class Stream:
    """An open stream of events to one browser."""

    def __init__(
        self, response: web.StreamResponse, may_go_on: Callable[[], bool] = lambda: True
    ) -> None:
        self.response = response
        self._may_go_on = may_go_on

    async def send(self, name: str, data: Any) -> None:
        """One event with JSON, which has no line breaks; ConnectionError when nobody listens."""
        text = json.dumps(data, separators=(",", ":"))
        await self._write(f"event: {name}\ndata: {text}\n\n".encode())

    async def keep_alive(self) -> None:
        """A comment: proxies cut a silent connection, and a browser that has gone is noticed."""
        await self._write(b":\n\n")

    def go_on(self) -> None:
        """Raise ConnectionError where whoever listens is signed in no more."""
        if not self._may_go_on():
            raise ConnectionAbortedError("The session has ended.")

    async def _write(self, data: bytes) -> None:
        self.go_on()
        await self.response.write(data)


class Streams:
    """All open streams: they have no end of their own, and would keep the daemon from ending."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._tasks: WeakKeyDictionary[asyncio.Task[Any], Session | None] = WeakKeyDictionary()

    @asynccontextmanager
    async def open(self, request: web.Request) -> AsyncIterator[Stream]:
        """A stream that ends with the block, the browser, the session, or the daemon.

        What goes wrong in the block ends it too: an answer has begun, and cannot become another.
        """
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        protect(response)
        try:
            await response.prepare(request)
        except ConnectionError:
            raise web.HTTPNoContent from None  # the browser has gone, and nobody hears it
        session: Session | None = request.get(SESSION)
        if task := asyncio.current_task():
            self._tasks[task] = session
        try:
            await response.write(b"retry: 2000\n\n")
            yield Stream(response, partial(self._may_go_on, session))
        except ConnectionError:
            pass
        except SparkwellError as error:
            logger.info("A stream of %s ended: %s", request.path, error)

    def _may_go_on(self, session: Session | None) -> bool:
        return session is None or self._sessions.still(session)

    def end_of(self, session: Session | None) -> None:
        """Who has signed out hears nothing more."""
        for task, whose in list(self._tasks.items()):
            if session is not None and whose is session:
                task.cancel()

    async def end(self, _app: web.Application) -> None:
        """For ``on_shutdown``."""
        for task in list(self._tasks):
            task.cancel()
