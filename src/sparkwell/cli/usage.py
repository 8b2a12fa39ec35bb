"""`sparkwell usage`."""

import json
import time

import click

from sparkwell.cli.client import Json, run
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.keys.source import used
from sparkwell.cli.keys.text import usage_table
from sparkwell.cli.times import SinceDay

_DAYS = 30
_DAY_S = 86_400.0


@click.command(short_help="Show what keys used: requests and tokens.")
@click.option("--key", metavar="NAME|ID", help="Only of one key; - means requests without one.")
@click.option("--model", metavar="MODEL", help="Only of one model.")
@click.option(
    "--since",
    type=SinceDay(),
    metavar="TIME",
    help=f"From that day (UTC) on: 1d, 4w, 2026-05-09.  [default: {_DAYS}d]",
)
@json_option
@pass_context
def usage(
    context: Context, key: str | None, model: str | None, since: float | None, as_json: bool
) -> None:
    """Show what each key used of each model: requests, errors, prompt and output tokens.

    With --json it prints one entry for each day, key and model. docs/keys.md says how is counted.
    """
    from sparkwell.admin.keys import UsageWanted

    since = time.time() - _DAYS * _DAY_S if since is None else since
    found = run(used(context, UsageWanted(key=key, model=model, since=since)))
    click.echo(json.dumps(found) if as_json else _text(found))


def _text(found: Json) -> str:
    entries, since = found["usage"], f"since {found['since']} (UTC)"
    if not entries:
        return f"Nothing was used {since}."
    uncounted = sum(entry["uncounted"] for entry in entries)
    note = f" Answers of which the tokens are not known: {uncounted:,}." if uncounted else ""
    return f"{usage_table(entries)}\n\nUsed {since}.{note}"
