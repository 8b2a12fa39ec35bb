"""`sparkwell logs`."""

from pathlib import Path

import click

from sparkwell.cli.client import run
from sparkwell.cli.context import Context, pass_context
from sparkwell.core.errors import UsageError
from sparkwell.drivers.process import ProcessDriver


@click.command(short_help="Show an engine's log.")
@click.argument("model", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on as new lines come.")
@click.option("-n", "--tail", type=click.IntRange(0), metavar="N", help="Only the last N lines.")
@click.option("--daemon", is_flag=True, help="The log of a daemon that runs in the background.")
@pass_context
def logs(context: Context, model: str | None, follow: bool, tail: int | None, daemon: bool) -> None:
    """Show the log of MODEL's newest run (default: the newest of all), also of an ended one."""
    if daemon:
        if follow or model:
            raise UsageError(
                "--daemon shows the daemon's log as it is: it takes no MODEL and no --follow.",
                hint=f"To follow it: tail -f {context.paths.daemon_log}",
            )
        _daemon_log(context, tail)
        return
    name = context.catalog.get(model).name if model else None
    run(_show(context, name, follow, tail))


def _daemon_log(context: Context, tail: int | None) -> None:
    try:
        text = context.paths.daemon_log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise UsageError("No daemon has run in the background here yet.") from None
    for line in _last(text.splitlines(), tail):
        click.echo(line)


async def _show(context: Context, model: str | None, follow: bool, tail: int | None) -> None:
    driver = ProcessDriver(context.paths.instances)
    instance = await _newest(driver, model)
    if not follow:
        for line in _last(_written(driver, instance), tail):
            click.echo(line)
        return
    if tail is not None:
        for line in _last(_written(driver, instance), tail):
            click.echo(line)
    async for line in driver.follow(instance, from_start=tail is None):
        click.echo(line)


async def _newest(driver: ProcessDriver, model: str | None) -> str:
    """The run that is meant: the one that lives, else the one that ended last."""
    live = [entry.spec for entry in reversed(await driver.running())]
    ended = [spec for spec, _ in driver.ended()]
    for spec in [*live, *ended]:
        if model in (None, spec.model):
            return spec.instance
    raise UsageError(
        f"{model or 'A model'} has not run here yet, so there is no log.",
        hint=f"`sparkwell up {model or 'MODEL'}` starts it.",
    )


def _written(driver: ProcessDriver, instance: str) -> list[str]:
    """What is in the log now, the rotated parts first."""
    newest = Path(driver.log_path(instance))
    older = sorted(newest.parent.glob(f"{newest.name}.[0-9]*"), reverse=True)
    texts = (file.read_text(encoding="utf-8", errors="replace") for file in [*older, newest])
    return "".join(texts).replace("\r", "\n").splitlines()


def _last(lines: list[str], tail: int | None) -> list[str]:
    return lines if tail is None else lines[len(lines) - min(tail, len(lines)) :]
