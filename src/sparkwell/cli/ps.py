"""`sparkwell ps`."""

import json

import click

from sparkwell.cli.client import Json, run, told_by_daemon
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.table import table
from sparkwell.cli.top.words import BECOMING_STATES, engine, serving
from sparkwell.core.units import GIB, duration


@click.command(short_help="List what runs.")
@json_option
@pass_context
def ps(context: Context, as_json: bool) -> None:
    """List the engines of this daemon: state, requests, engine, where it runs, what it holds."""
    instances = run(told_by_daemon(context, "status"))["instances"]
    if as_json:
        click.echo(json.dumps({"instances": instances}))
    elif not instances:
        click.echo("Nothing runs. `sparkwell models` lists what can be started.")
    else:
        heads = ("MODEL", "STATE", "SERVING", "ENGINE", "RUNS AS", "HOLDS", "AGE", "INSTANCE")
        click.echo(table(heads, map(_row, instances)))


def _row(entry: Json) -> tuple[str, ...]:
    state, requests, held = entry["state"], serving(entry), entry["held_bytes"]
    if state in BECOMING_STATES:
        state = f"{state} ({entry['phase_title']})"
    return (
        entry["model"],
        state,
        "-" if requests is None else str(requests),
        engine(entry),
        entry["container"] or str(entry["driver"]),
        "not known" if held is None else f"{held / GIB:.1f} GiB",
        duration(entry["elapsed_s"]),
        entry["id"],
    )
