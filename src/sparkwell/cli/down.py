"""`sparkwell down`."""

import asyncio
import json

import click

from sparkwell.app.drivers import make_drivers
from sparkwell.catalog.ollama import is_ollama
from sparkwell.cli.client import AdminClient, Json, NoDaemonError, run
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.daemon import daemon_gone
from sparkwell.core.errors import EnvironmentFault, SparkwellError
from sparkwell.drivers.compose.faults import DockerUnreachableError


@click.command(short_help="Stop the model, or whatever runs.")
@click.argument("model", required=False)
@json_option
@pass_context
def down(context: Context, model: str | None, as_json: bool) -> None:
    """Stop MODEL, or whatever runs, and return when no process of it is left.

    Without a MODEL a daemon that `up` started in the background ends too; one that you started
    with `serve` goes on. Engines that an ended daemon left behind are stopped as well.
    """
    if model is not None:
        model = context.models.served(model).name
    done = run(_down(context, model))
    click.echo(json.dumps(done) if as_json else _said(done))


async def _down(context: Context, model: str | None) -> Json:
    try:
        return await _ask_daemon(context, model)
    except NoDaemonError:
        return {"stopped": await _stop_orphans(context, model), "daemon": None}


async def _ask_daemon(context: Context, model: str | None) -> Json:
    async with AdminClient(context.paths) as client:
        about = await client.get("version")
        answer = await client.post("down", {"model": model})
        stopped = answer["stopped"]
        if model is not None or not about["detached"]:
            return {"stopped": stopped, "daemon": "running", "pid": about["pid"]}
        await client.post("shutdown", {"stop_engines": True})
        state = "ended" if await daemon_gone(context.paths) else "ending"
        return {"stopped": stopped, "daemon": state, "pid": about["pid"]}


def _said(done: Json) -> str:
    stopped = done["stopped"]
    lines = [f"Stopped {', '.join(stopped)}." if stopped else "Nothing was running."]
    if done["daemon"] == "ended":
        lines.append(f"The daemon (process {done['pid']}) has ended too.")
    elif done["daemon"] == "ending":
        lines.append(f"The daemon (process {done['pid']}) is still ending.")
    return "\n".join(lines)


async def _stop_orphans(context: Context, model: str | None) -> list[str]:
    """No daemon answers: what an earlier one left is ended here, Ollama's container too.

    Raises EnvironmentFault, after the rest is ended, where some of it may not have been found.
    """
    drivers = make_drivers(context.paths, context.settings, context.environ)
    driver = drivers.every
    found, faults = await driver.look()
    left = [entry.spec for entry in found if model in (None, entry.spec.model)]
    await asyncio.gather(*(driver.stop(spec.instance) for spec in left))
    if not any(is_ollama(one.spec.model) for one in found if one.spec not in left):
        await drivers.ollama_server.stop()
    stopped = [spec.model for spec in left]
    for fault in faults:
        if _concerns(fault, model):
            said = f"Stopped {', '.join(stopped)}. " if stopped else ""
            raise EnvironmentFault(f"{said}{fault.message}", hint=fault.hint)
    return stopped


def _concerns(fault: SparkwellError, model: str | None) -> bool:
    """Whether what could not be looked at may be the model; None: any."""
    known = fault.models if isinstance(fault, DockerUnreachableError) else ()
    return model is None or not known or model in known
