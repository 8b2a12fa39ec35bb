"""Events from the file and from a running daemon, put together."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace

import click

from sparkwell.cli.client import AdminClient, BrokenOffError, NoDaemonError
from sparkwell.cli.context import Context
from sparkwell.core.errors import SparkwellError
from sparkwell.core.events import Event
from sparkwell.store.events import UNSTORED
from sparkwell.store.recorded import Wanted, recorded

AGAIN_S = 1.0
PATIENCE_S = 5.0
Show = Callable[[Sequence[Event]], None]


async def so_far(context: Context, wanted: Wanted) -> Sequence[Event]:
    """What is on disk, and what a daemon has not written yet."""
    found = recorded(context.paths.store, wanted)
    newer: list[Event] = []
    # Without a daemon, or with one of another version, the file has to do.
    with suppress(SparkwellError, TimeoutError):
        async with asyncio.timeout(PATIENCE_S), AdminClient(context.paths) as daemon:
            last = await _cursor(daemon)
            if last > found.cursor:
                await _take(daemon, found.cursor, newer.append, until=last)
    both = [*found.events, *(event for event in newer if _shown(event, wanted))]
    return both if wanted.limit is None else both[len(both) - min(wanted.limit, len(both)) :]


async def follow_events(context: Context, wanted: Wanted, show: Show) -> None:
    """The file first, then the daemon from there on; again whenever a daemon has ended.

    Numbers go on from one daemon to the next, so that nothing is shown twice or left out.
    """
    known = True
    async with AdminClient(context.paths) as daemon:
        while True:
            found = recorded(context.paths.store, wanted)
            show(found.events)
            seen = _Seen(max(wanted.after, found.cursor), replace(wanted, after=0), show)
            try:
                if await _cursor(daemon) < seen.cursor:
                    seen.cursor = 0  # a store that was begun anew counts anew
                known = True
                await _take(daemon, seen.cursor, seen)
            except (NoDaemonError, BrokenOffError):
                if known:
                    click.echo("No daemon is running now; waiting for one.", err=True)
                known = False
            wanted = replace(wanted, after=seen.cursor, limit=None)
            await asyncio.sleep(AGAIN_S)


class _Seen:
    """Shows events as they come, and knows the last one."""

    def __init__(self, cursor: int, wanted: Wanted, show: Show) -> None:
        self.cursor = cursor
        self._wanted = wanted
        self._show = show

    def __call__(self, event: Event) -> None:
        self.cursor = event.seq
        if _shown(event, self._wanted):
            self._show([event])


def _shown(event: Event, wanted: Wanted) -> bool:
    """Progress comes many times a minute and is not kept: only who names it sees it."""
    named = event.kind not in UNSTORED or event.kind in wanted.kinds
    return named and wanted.has(event)


async def _cursor(daemon: AdminClient) -> int:
    """The number of the daemon's newest event."""
    return int((await daemon.get("status"))["event"])


async def _take(
    daemon: AdminClient,
    cursor: int,
    take: Callable[[Event], None],
    until: int | None = None,
) -> None:
    """Hand on events newer than the cursor until the daemon ends, or up to the one ``until``."""
    async with aclosing(daemon.events(cursor)) as stream:
        async for entry in stream:
            take(Event(**entry))
            if until is not None and entry["seq"] >= until:
                return
