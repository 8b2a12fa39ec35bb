"""`sparkwell pull`."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from sparkwell.app.launching.fetching import (
    HUB,
    Fetching,
    Pulled,
    Wanted,
    bundled,
    wanted_recipe,
    wanted_repository,
)
from sparkwell.catalog.ollama import is_ollama
from sparkwell.cli.client import run
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.progress import Show, step_display
from sparkwell.cli.pull_ollama import PulledByServer, pull_ollama
from sparkwell.core.units import duration, file_size
from sparkwell.drivers.download import Progress

Done = Pulled | PulledByServer


@click.command(short_help="Download a model's weights.")
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option("--verify", is_flag=True, help="Read what is here and compare its checksums.")
@json_option
@pass_context
def pull(context: Context, models: tuple[str, ...], verify: bool, as_json: bool) -> None:
    """Download the weights of each MODEL, so that a start has all it needs.

    MODEL is a name of the catalog, hf:ORG/NAME for any repository of the Hugging Face Hub, or
    ollama/NAME for Ollama's. What is here whole is not downloaded again, and a download that was
    cut goes on.
    """
    done = [_pull(context, model, verify) for model in models]
    if as_json:
        click.echo(json.dumps({"models": [_entry(pulled) for pulled in done]}))


def fetching(context: Context) -> Fetching:
    """Downloads as this call of the command line sees them: .env of here, and of the settings."""
    settings_file = context.config_file or context.paths.config_file
    folders = [Path.cwd(), settings_file.absolute().parent]
    return Fetching(context.settings, context.environ, folders)


def _pull(context: Context, model: str, verify: bool) -> Done:
    with step_display(model) as show:
        done = run(_work(context, model, verify, show))
    click.echo(click.style("✓ ", fg="green") + _said(done), err=True)
    return done


async def _work(context: Context, model: str, verify: bool, show: Show) -> Done:
    if is_ollama(model):
        return await pull_ollama(context, model, show)
    wanted = _wanted(context, model)
    if isinstance(wanted, Pulled):
        return wanted

    def seen(progress: Progress) -> None:
        show(*_words(progress))

    return await fetching(context).pull(wanted, seen, verify=verify)


def _wanted(context: Context, model: str) -> Wanted | Pulled:
    if model.startswith(HUB):
        return wanted_repository(model)
    recipe = context.catalog.get(model)
    return wanted_recipe(recipe) or bundled(recipe)


def _words(progress: Progress) -> tuple[str, float | None, str]:
    """What is being done, which share of it is, and the figures."""
    total = progress.total_bytes
    step = f"{progress.stage}, {file_size(total)}" if total else str(progress.stage)
    return step, progress.fraction, ", ".join(_figures(progress))


def _figures(progress: Progress) -> Iterator[str]:
    if progress.done_bytes is not None:
        yield file_size(progress.done_bytes)
    if progress.rate_bytes_per_s is not None:
        yield f"{file_size(progress.rate_bytes_per_s)}/s"
    if progress.left_s is not None:
        yield f"about {duration(progress.left_s)} left"


def _said(done: Done) -> str:
    """One line on what is here now, and what it took."""
    size = "" if done.bytes is None else f"{file_size(done.bytes)} "
    here = f"{done.model} is here: {size}in {_where(done)}"
    if isinstance(done, PulledByServer) and done.fetched_bytes is None:
        return f"{here} (downloaded in {duration(done.seconds)})"
    if done.repo is None and isinstance(done, Pulled):
        return f"{here} (it comes with Sparkwell)"
    if done.fetched_bytes:
        took = f"{file_size(done.fetched_bytes)} in {duration(done.seconds)}"
        return f"{here} (downloaded {took})"
    return f"{here} ({'every checksum is right' if done.checked else 'nothing was downloaded'})"


def _where(done: Done) -> str:
    return done.where if isinstance(done, PulledByServer) else str(done.folder)


def _entry(done: Done) -> dict[str, Any]:
    folder = None if done.folder is None else str(done.folder)
    return {**asdict(done), "folder": folder, "seconds": round(done.seconds, 1)}
