"""`sparkwell status`."""

import json

import click

from sparkwell.cli.client import AdminClient, Json, NoDaemonError, no_daemon_here, run
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.core.units import duration


@click.command(short_help="Show the daemon, the model and how far it is.")
@json_option
@pass_context
def status(context: Context, as_json: bool) -> None:
    """Show the daemon, what it serves, and how far a start is."""
    current = run(_status(context))
    click.echo(json.dumps(current) if as_json else _text(current))


async def _status(context: Context) -> Json:
    try:
        async with AdminClient(context.paths) as client:
            return await client.get("status")
    except NoDaemonError:
        raise await no_daemon_here(context) from None


def _text(current: Json) -> str:
    daemon = (
        f"Sparkwell {current['version']}, process {current['pid']}, "
        f"up for {duration(current['uptime_s'])}"
    )
    lines = [daemon, f"Gateway  {current['gateway']}/v1"]
    instances = [line for entry in current["instances"] for line in _instance(entry)]
    return "\n".join([*lines, *(instances or ["Model    none; `sparkwell up MODEL` starts one"])])


def _instance(entry: Json) -> list[str]:
    lines = [f"Model    {entry['model']}: {_state(entry)}"]
    lines.append(f"Engine   {entry['engine']} {entry['engine_version']} ({_where(entry)})")
    if entry["state"] == "ready":
        lines.append(f"Requests {entry['requests_running']} running")
    if entry["error"]:
        lines.append(f"Error    {entry['error']}")
        lines += [f"         {line}" for line in (entry["hint"] or "").splitlines()]
        if entry["log"]:
            lines.append(f"         `sparkwell logs {entry['model']}` shows the log")
    return lines


def _where(entry: Json) -> str:
    if not entry["container"]:
        return str(entry["driver"])
    return f"{entry['driver']}, container {entry['container']}"


def _state(entry: Json) -> str:
    if entry["state"] != "starting":
        return str(entry["state"])
    percent = "" if entry["percent"] is None else f", {entry['percent']:.0f} %"
    left = "" if entry["left_s"] is None else f", about {duration(entry['left_s'])} left"
    return f"starting ({entry['phase_title']}{percent}{left})"
