"""`sparkwell logs`."""

from datetime import datetime

import click

from sparkwell.app.drivers import make_drivers
from sparkwell.cli.client import run
from sparkwell.cli.context import Context, pass_context
from sparkwell.core.errors import UsageError
from sparkwell.core.protocols import Driver


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
    name = context.models.served(model).name if model else None
    run(_show(context, name, follow, tail))


def _daemon_log(context: Context, tail: int | None) -> None:
    try:
        text = context.paths.daemon_log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise UsageError("No daemon has run in the background here yet.") from None
    for line in _last(text.splitlines(), tail):
        click.echo(line)


async def _show(context: Context, model: str | None, follow: bool, tail: int | None) -> None:
    driver = make_drivers(context.paths, context.settings, context.environ).every
    instance = await _newest(driver, model)
    if ended := next((end for spec, end in driver.ended() if spec.instance == instance), None):
        at = datetime.fromtimestamp(ended.ended_at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        click.echo(f"Log of the run {instance}, which ended at {at} ({ended.reason}).", err=True)
    lines, rest = await driver.written(instance)
    if not follow:
        for line in _last([*lines, *rest], tail):
            click.echo(line)
        return
    # From the start in either case: between reading and following at the end lines get lost.
    passed_over = 0 if tail is None else max(len(lines) - tail, 0)
    async for line in driver.follow(instance):
        if passed_over:
            passed_over -= 1
        else:
            click.echo(line)


async def _newest(driver: Driver, model: str | None) -> str:
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


def _last(lines: list[str], tail: int | None) -> list[str]:
    return lines if tail is None else lines[len(lines) - min(tail, len(lines)) :]
