"""`sparkwell events`."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import click

from sparkwell.cli.client import run
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.events.source import follow_events, so_far
from sparkwell.cli.events.text import Lines
from sparkwell.cli.times import Since
from sparkwell.core.errors import UnknownModelError
from sparkwell.core.events import Event
from sparkwell.store.recorded import Wanted, recorded

LINES = 30


@click.command(short_help="Show what happened, and why.")
@click.option("-f", "--follow", is_flag=True, help="Go on as more happens.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0),
    metavar="N",
    help=f"Only the last N events.  [default: {LINES}; with --since all]",
)
@click.option(
    "--since", type=Since(), metavar="TIME", help="Not older: 90s, 30m, 2h, 1d, 2026-05-09T14:30."
)
@click.option("--model", metavar="MODEL", help="Only what is about one model.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="PREFIX",
    help="Only kinds that begin so, e.g. switch or instance.failed; may be given several times.",
)
@json_option
@pass_context
def events(
    context: Context,
    follow: bool,
    lines: int | None,
    since: float | None,
    model: str | None,
    kinds: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show what the daemon did and what became of it, the newest last.

    Works with and without a daemon, and shows what earlier ones did, too: docs/events.md says what
    is kept. With --json and --follow it prints one JSON object a line.
    """
    limit = LINES if lines is None and since is None else lines
    wanted = Wanted(limit=limit, kinds=kinds, model=_named(context, model), since=since)
    if follow:
        run(follow_events(context, wanted, _json_lines if as_json else Lines().show))
        return
    found = run(so_far(context, wanted))
    if as_json:
        click.echo(json.dumps({"events": [asdict(event) for event in found]}))
    elif found:
        Lines().show(found)
    else:
        click.echo(_nothing(context))


def _named(context: Context, model: str | None) -> str | None:
    """The model as events name it; one that is in no recipe any more may still have some."""
    try:
        return context.models.served(model).name if model else None
    except UnknownModelError:
        if recorded(context.paths.store, Wanted(limit=1, model=model)).events:
            return model
        raise


def _json_lines(events: Sequence[Event]) -> None:
    for event in events:
        click.echo(json.dumps(asdict(event)))


def _nothing(context: Context) -> str:
    if recorded(context.paths.store, Wanted(limit=1)).events:
        return "Nothing of that kind has happened in the time that is kept."
    return "Nothing has happened yet."
