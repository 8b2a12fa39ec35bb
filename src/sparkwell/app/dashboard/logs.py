"""Engines' logs for the dashboard: the end of a long one, and new lines as they come."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from sparkwell.app.dashboard.log_tail import Since, Tail, read_since, read_tail
from sparkwell.app.runs import newest_run
from sparkwell.core.protocols import Driver
from sparkwell.monitor.log_lines import ErrorLines, Keeps, containing, kept
from sparkwell.store import Store
from sparkwell.web.log_values import FirstFailure, LogLine, LogPage, LogQuery

LOOK_S = 0.25
MOST_LINES = 1000
"""Of one look; nobody reads 4,000 lines a second."""
GAP = "[sparkwell: more lines came than can be shown; the log has them all]"


@dataclass(frozen=True, slots=True)
class Logs:
    """Reads what drivers keep; every method may be called while engines write."""

    driver: Driver
    store: Store

    async def page(self, model: str, query: LogQuery) -> LogPage:
        """The end of the log of a model's newest run; raises UsageError where it has not run."""
        run = await newest_run(self.driver, model)
        tail = await self._tail(run, query)
        errors = ErrorLines()
        return LogPage(
            run=run,
            lines=tuple(LogLine(line, errors(line)) for line in tail.lines),
            more=tail.more,
            total_bytes=tail.total_bytes or None,
            ended=self._ended(run),
            position=tail.position or None,
            searched_bytes=tail.searched_bytes,
        )

    async def lines(self, model: str, query: LogQuery) -> AsyncIterator[Sequence[LogLine]]:
        """New lines that match, until the run has ended; with ``query.after`` none is missed."""
        run = await newest_run(self.driver, model)
        file = Path(self.driver.log_path(run))
        filters, errors = _filters(query), ErrorLines()
        marked = partial(_marked, filters=filters, errors=errors)
        if await asyncio.to_thread(file.exists):
            async with aclosing(self._written(run, file, query.after, marked)) as written:
                async for lines in written:
                    yield lines
            return
        async for line in self.driver.follow(run, from_start=False):  # a container that lives
            yield marked(Since((line,), 0))

    async def _written(
        self, run: str, file: Path, after: int | None, marked: Callable[[Since], list[LogLine]]
    ) -> AsyncGenerator[list[LogLine], None]:
        """What is written to a file, four times a second, until nobody writes any more."""
        ending = asyncio.create_task(self.driver.wait(run))
        position = after
        if position is None:
            position = (await asyncio.to_thread(read_tail, file, 0, tuple)).position
        try:
            while True:
                ended = ending.done()  # asked before reading: what it said last is there by then
                since, lines = await asyncio.to_thread(_read, file, position, marked)
                position = since.position
                if lines:
                    yield lines
                if ended:
                    return
                await asyncio.wait({ending}, timeout=LOOK_S)
        finally:
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)

    async def first_failure(self, model: str) -> FirstFailure | None:
        """What is held against a model; None where nothing is."""
        row = self.store.breakers.load().get(model)
        if row is None:
            return None
        return FirstFailure(row.first_instance, row.first_reason, row.failures, row.first_lines)

    async def _tail(self, run: str, query: LogQuery) -> Tail:
        file = Path(self.driver.log_path(run))
        if await asyncio.to_thread(file.exists):
            return await asyncio.to_thread(read_tail, file, query.tail, lambda: _filters(query))
        lines, rest = await self.driver.written(run)  # a container that lives: Docker has its log
        found = list(kept([*lines, *rest], _filters(query)))
        shown = found[len(found) - min(query.tail, len(found)) :]
        return Tail(tuple(shown), len(shown) < len(found), 0)

    def _ended(self, run: str) -> str | None:
        for spec, record in self.driver.ended():
            if spec.instance == run:
                at = datetime.fromtimestamp(record.ended_at).astimezone()
                return f"ended at {at:%Y-%m-%d %H:%M:%S} ({record.reason})"
        return None


def _read(
    file: Path, position: int, marked: Callable[[Since], list[LogLine]]
) -> tuple[Since, list[LogLine]]:
    """All that takes time with a flood: in a thread."""
    since = read_since(file, position)
    return since, marked(since)


def _marked(since: Since, *, filters: Sequence[Keeps], errors: ErrorLines) -> list[LogLine]:
    """The newest lines that are kept, and one that says that others were left out."""
    shown = list(kept(since.lines, filters))
    left_out = since.gap or len(shown) > MOST_LINES
    lines = [GAP] if left_out else []
    position = since.position or None
    return [
        LogLine(line, errors(line), position=position) for line in (*lines, *shown[-MOST_LINES:])
    ]


def _filters(query: LogQuery) -> tuple[Keeps, ...]:
    """Text, and no regular expression: a bad one would hold up the whole daemon."""
    wanted = (containing(query.grep),) if query.grep else ()
    return (*wanted, ErrorLines()) if query.errors else wanted
