"""GET /live: what changes on a page, as a stream. Nothing in the daemon depends on who listens."""

import asyncio
from collections import deque
from typing import cast, get_args

from aiohttp import web

from sparkwell.core.events import Event
from sparkwell.web.access import csrf_of
from sparkwell.web.fragments import Fragments, Scope, by_model
from sparkwell.web.log_values import EventQuery
from sparkwell.web.services import Services
from sparkwell.web.stream import Stream, Streams

LOOK_S = 1.0
KEEP_ALIVE_S = 15.0
NEWEST = 8
UNSHOWN = ("instance.progress",)
"""Kinds that come many times a second; the bars show what they say."""


class Live:
    """The streams of pages."""

    def __init__(self, services: Services, fragments: Fragments, streams: Streams) -> None:
        self._services = services
        self._fragments = fragments
        self._streams = streams

    def routes(self) -> list[web.RouteDef]:
        """What is to be added to the application."""
        return [web.get("/live", self.live, allow_head=False)]

    async def live(self, request: web.Request) -> web.StreamResponse:
        """Events ``swap`` {id: html} of parts that have changed, and ``sample`` with figures."""
        asked = request.query.get("scope", "other")
        scope = cast("Scope", asked if asked in get_args(Scope) else "other")
        newest, seq = await self._newest()
        if scope == "models":  # a page may outlive the daemon that made it
            self._fragments.learn(await self._services.models())
        async with self._streams.open(request) as stream:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._swaps(stream, scope, newest, csrf_of(request)))
                    if scope == "overview":
                        tasks.create_task(self._follow(newest, seq))
                        tasks.create_task(self._samples(stream))
            except* ConnectionError:
                pass  # the browser has gone
        return stream.response

    async def newest(self) -> deque[Event]:
        """The newest events, newest first."""
        return (await self._newest())[0]

    async def _newest(self) -> tuple[deque[Event], int]:
        """With the number of the newest of all, shown or not: what follows it is to come."""
        events = await self._services.past_events(EventQuery(limit=3 * NEWEST))
        shown = [each for each in events if each.kind not in UNSHOWN]
        return deque(shown[:NEWEST], NEWEST), events[0].seq if events else 0

    async def _follow(self, newest: deque[Event], seq: int) -> None:
        async for event in self._services.events(seq):
            if event.kind not in UNSHOWN:
                newest.appendleft(event)

    async def _samples(self, stream: Stream) -> None:
        async for each in self._services.rounds():
            sample = {"at": each.at, "models": each.models, "machine": each.machine}
            await stream.send("sample", sample)

    async def _swaps(self, stream: Stream, scope: Scope, newest: deque[Event], csrf: str) -> None:
        shown: dict[str, str] = {}
        seen: dict[str, None] = {}
        silent_s = 0.0
        while True:
            stream.go_on()
            # A model that has gone is shown as stopped to whoever saw it run.
            seen |= dict.fromkeys(by_model(self._services.status()))
            parts = self._fragments.of(scope, tuple(newest), tuple(seen), csrf)
            changed = {name: html for name, html in parts.items() if shown.get(name) != html}
            if changed:
                await stream.send("swap", changed)
            elif silent_s >= KEEP_ALIVE_S:
                await stream.keep_alive()
            silent_s = 0.0 if changed or silent_s >= KEEP_ALIVE_S else silent_s + LOOK_S
            shown |= changed
            await asyncio.sleep(LOOK_S)
