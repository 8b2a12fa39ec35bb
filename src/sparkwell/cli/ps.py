"""`sparkwell ps`."""

import json

import click

from sparkwell.cli.client import AdminClient, Json, NoDaemonError, no_daemon_here, run
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.table import table
from sparkwell.core.units import GIB, duration


@click.command(short_help="List what runs.")
@json_option
@pass_context
def ps(context: Context, as_json: bool) -> None:
    """List the engines of this daemon: state, engine, where it runs, what it holds by its plan."""
    instances = run(_instances(context))
    if as_json:
        click.echo(json.dumps({"instances": instances}))
    elif not instances:
        click.echo("Nothing runs. `sparkwell models` lists what can be started.")
    else:
        heads = ("MODEL", "STATE", "ENGINE", "RUNS AS", "HOLDS", "AGE", "INSTANCE")
        click.echo(table(heads, map(_row, instances)))


async def _instances(context: Context) -> list[Json]:
    try:
        async with AdminClient(context.paths) as client:
            return list((await client.get("status"))["instances"])
    except NoDaemonError:
        raise await no_daemon_here(context) from None


def _row(entry: Json) -> tuple[str, ...]:
    engine = f"{entry['engine']} {entry['engine_version']}".strip()
    state = entry["state"]
    if state == "starting":
        state = f"starting ({entry['phase_title']})"
    held = entry["held_bytes"]
    return (
        entry["model"],
        state,
        engine,
        entry["container"] or str(entry["driver"]),
        "not known" if held is None else f"{held / GIB:.1f} GiB",
        duration(entry["elapsed_s"]),
        entry["id"],
    )
