"""`sparkwell down`."""

import asyncio
import time

import click
import psutil

from sparkwell.cli.client import AdminClient, NoDaemonError, run
from sparkwell.cli.context import Context, pass_context
from sparkwell.drivers.process import ProcessDriver

DAEMON_ENDS_S = 15.0


@click.command(short_help="Stop the model, or whatever runs.")
@click.argument("model", required=False)
@pass_context
def down(context: Context, model: str | None) -> None:
    """Stop MODEL, or whatever runs, and return when no process of it is left.

    Without a MODEL a daemon that `up` started in the background ends too; one that you started
    with `serve` goes on. Engines that an ended daemon left behind are stopped as well.
    """
    if model is not None:
        model = context.catalog.get(model).name
    try:
        run(_down(context, model))
    except NoDaemonError:
        stopped = run(_stop_orphans(context, model))
        click.echo(_said(stopped))


async def _down(context: Context, model: str | None) -> None:
    async with AdminClient(context.paths) as client:
        about = await client.get("version")
        answer = await client.post("down", {"model": model})
        click.echo(_said([answer["stopped"]] if answer["stopped"] else []))
        if model is None and about["detached"]:
            await client.post("shutdown", {"stop_engines": True})
            await _gone(about["pid"])
            click.echo(f"The daemon (process {about['pid']}) has ended too.")


async def _gone(pid: int) -> None:
    """Wait until the daemon has let go of its port and its lock."""
    deadline = time.monotonic() + DAEMON_ENDS_S
    while psutil.pid_exists(pid) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


def _said(stopped: list[str]) -> str:
    return f"Stopped {', '.join(stopped)}." if stopped else "Nothing was running."


async def _stop_orphans(context: Context, model: str | None) -> list[str]:
    """No daemon answers: what an earlier one left is ended here."""
    driver = ProcessDriver(context.paths.instances)
    left = [entry.spec for entry in await driver.running() if model in (None, entry.spec.model)]
    await asyncio.gather(*(driver.stop(spec.instance) for spec in left))
    return [spec.model for spec in left]
