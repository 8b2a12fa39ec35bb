"""Logs of engines: the end, filtered, what comes, and the first failure."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from aiohttp import web

from sparkwell.core.errors import UsageError
from sparkwell.web.batches import batches
from sparkwell.web.fragments import Fragments, by_model
from sparkwell.web.log_values import LogLine, LogQuery
from sparkwell.web.rendering import Renderer
from sparkwell.web.services import Services
from sparkwell.web.stream import Stream, Streams

BATCH_S = 0.25
LINES_A_BATCH = 400
"""With four batches a second: 1,600 lines a second, more than anybody reads."""
LONGEST_LINE = 4000
LONGEST_PATTERN = 200
TAILS = (200, 500, 2000)
KEEP_ALIVE_BATCHES = 60


class Logs:
    """The routes of /logs."""

    def __init__(
        self, services: Services, render: Renderer, fragments: Fragments, streams: Streams
    ) -> None:
        self._services = services
        self._render = render
        self._fragments = fragments
        self._streams = streams

    def routes(self) -> list[web.RouteDef]:
        """What is to be added to the application."""
        return [web.get("/logs", self.show), web.get("/logs/live", self.live, allow_head=False)]

    async def show(self, request: web.Request) -> web.Response:
        """GET /logs?model=&grep=&errors=&tail=: only the end is read, however long the log is."""
        model, query = self._asked(request.query)
        log, problem = None, None
        if model:
            try:
                log = await self._services.logs(model, query)
            except UsageError as error:
                problem = error
        names = [each.name for each in await self._services.models()]
        return self._render.page(
            request,
            "logs.html",
            page="logs",
            model=model,
            names=list(dict.fromkeys([*by_model(self._services.status()), *sorted(names)])),
            query=query,
            tails=TAILS,
            log=log and replace(log, lines=tuple(map(_cut, log.lines))),
            problem=problem,
            first=await self._services.first_failure(model) if model else None,
            parts=self._fragments.of("other"),
        )

    async def live(self, request: web.Request) -> web.StreamResponse:
        """GET /logs/live: events ``lines``, with how many had to be left out."""
        model, query = self._asked(request.query)
        # Asked before anything is answered: a model that has not run is an error, not a stream.
        await self._services.logs(model, replace(query, tail=1))
        lines = self._services.log_lines(model, query)
        async with self._streams.open(request) as stream:
            await _send(stream, lines)
        return stream.response

    def _asked(self, query: Mapping[str, str]) -> tuple[str, LogQuery]:
        running = list(by_model(self._services.status()))
        model = query.get("model") or (running[-1] if running else "")
        tail, after = query.get("tail", ""), query.get("after", "")
        return model, LogQuery(
            tail=int(tail) if tail.isdecimal() and int(tail) in TAILS else TAILS[1],
            grep=query.get("grep", "")[:LONGEST_PATTERN],
            errors=bool(query.get("errors")),
            after=int(after) if after.isdecimal() and len(after) < 19 else None,
        )


async def _send(stream: Stream, lines: AsyncIterator[Sequence[LogLine]]) -> None:
    silent = 0
    async for batch in batches(lines, BATCH_S, LINES_A_BATCH):
        if batch.items:
            items = [[each.number, each.error, each.text] for each in map(_cut, batch.items)]
            after = batch.items[-1].position
            data = {"lines": items, "left_out": batch.left_out, "after": after}
            await stream.send("lines", data)
        silent = 0 if batch.items else silent + 1
        if silent and silent % KEEP_ALIVE_BATCHES == 0:
            await stream.keep_alive()
    await stream.send("end", {})


def _cut(line: LogLine) -> LogLine:
    """A line of megabytes would stop the browser."""
    if len(line.text) <= LONGEST_LINE:
        return line
    rest = len(line.text) - LONGEST_LINE
    return replace(line, text=f"{line.text[:LONGEST_LINE]} … {rest:,} characters more")
