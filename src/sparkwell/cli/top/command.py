"""`sparkwell top`."""

import asyncio
import json
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from sparkwell.cli.client import AdminClient, NoDaemonError, no_daemon_here, run
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.top.watch import Watch

if TYPE_CHECKING:
    from rich.console import Console

INTERVAL_S = 0.25
PATIENCE = 4
"""Intervals without an answer after which the daemon is said to be silent."""


@click.command(short_help="Watch models, switches, queue and memory live.")
@click.option("--once", is_flag=True, help="Print one frame and end, as without a terminal.")
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 60),
    default=INTERVAL_S,
    show_default=True,
    metavar="SECONDS",
    help="How often to look and draw.",
)
@json_option
@pass_context
def top(context: Context, once: bool, interval: float, as_json: bool) -> None:
    """Show live what runs and how it goes: speed, memory, switch, queue, findings, events.

    q or Ctrl-C ends it; what it shows goes on. --json prints what `status --json` does.
    """
    run(_top(context, once, interval, as_json))


async def _top(context: Context, once: bool, interval_s: float, as_json: bool) -> None:
    async with AdminClient(context.paths) as client:
        try:
            watch = await Watch.begin(client)
        except NoDaemonError:
            raise await no_daemon_here(context) from None
        if as_json:
            click.echo(json.dumps(watch.scene.status))
            return
        from rich.console import Console

        console = Console()
        if once or not sys.stdout.isatty() or console.is_dumb_terminal:
            await watch.catch_up()
            _print(console, watch)
        else:
            await _live(console, watch, interval_s)


def _print(console: "Console", watch: Watch) -> None:
    """One frame; a line is left for the prompt."""
    from sparkwell.cli.top.frame import frame

    width, height = console.size
    console.print(frame(watch.scene, time.time(), width, height - 1))


async def _live(console: "Console", watch: Watch, interval_s: float) -> None:
    """Follow and draw until somebody quits, or until following cannot go on."""
    tasks = [
        asyncio.create_task(work)
        for work in (_draw(console, watch, interval_s), watch.poll(interval_s), watch.listen())
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _draw(console: "Console", watch: Watch, interval_s: float) -> None:
    from rich.live import Live

    from sparkwell.cli.top.frame import SILENT_S, frame
    from sparkwell.cli.top.terminal import heard

    quitting, wake = False, asyncio.Event()

    def quit_() -> None:
        nonlocal quitting
        quitting = True
        wake.set()

    silent_s = max(SILENT_S, PATIENCE * interval_s)
    with (
        heard(quit_, wake.set) as keys,
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        while not quitting:
            wake.clear()
            width, height = console.size
            shown = frame(watch.scene, time.time(), width, height, live=keys, silent_s=silent_s)
            live.update(shown, refresh=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(interval_s):
                    await wake.wait()
