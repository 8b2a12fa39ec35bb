"""`sparkwell init`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparkwell.cli.client import run
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.core.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from sparkwell.app.looking import Look


@click.command(short_help="Look at this machine and write its settings file.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write (default: sparkwell.yaml in the configuration folder).",
)
@click.option("--force", is_flag=True, help="Replace a file that is there; it is kept as .bak.")
@click.option("--print", "only_print", is_flag=True, help="Print the file, write nothing.")
@json_option
@pass_context
def init(
    context: Context, output: Path | None, force: bool, only_print: bool, as_json: bool
) -> None:
    """Look at this machine and write a sparkwell.yaml that says what was found.

    Nothing else is changed, and nothing is asked. A token for the Hub is looked for and not
    copied.
    """
    from sparkwell.app.settings.file import write_settings
    from sparkwell.app.settings.written import settings_text

    if only_print and as_json:
        raise UsageError("--print and --json are two different outputs.", hint="Choose one.")
    file = output or context.config_file or context.paths.config_file
    if not only_print:
        _must_be_free(file, force)
    found = _look(context)
    text = settings_text(found)
    if only_print:
        click.echo(text, nl=False)
        return
    kept = write_settings(file, text)
    if as_json:
        click.echo(json.dumps(_document(found, file, kept)))
    else:
        _say(found, file, kept)


def _must_be_free(file: Path, force: bool) -> None:
    if file.exists() and not force:
        raise ConflictError(
            f"There is a settings file already: {file}.",
            hint="--print shows the new one, --force replaces it and keeps the old one as .bak.",
        )


def _look(context: Context) -> "Look":
    """The settings that are there do not count: they may be what has to be mended."""
    from sparkwell.app.looking import look
    from sparkwell.app.models import load_models
    from sparkwell.app.planning.planning import Planning
    from sparkwell.app.settings.config import Settings

    catalog = load_models(context.paths, Settings(), context.recipes)
    planning = Planning(context.paths, catalog, context.environ)
    return run(look(planning, catalog, context.environ, Path.cwd()))


def _document(found: "Look", file: Path, kept: Path | None) -> dict[str, Any]:
    best = found.recommended
    machine = {"name": found.machine.name, "title": found.machine.title}
    return {
        "file": str(file),
        "kept": str(kept) if kept else None,
        "machine": {**machine, "total_bytes": found.machine.total_bytes},
        "docker": asdict(found.docker),
        "port": asdict(found.port),
        "weights_folder": asdict(found.weights),
        "ollama_folder": asdict(found.ollama_folder),
        "ollama_version": found.ollama,
        "token": asdict(found.token),
        "models": [asdict(each) for each in found.models],
        "recommended": best.model if best else None,
    }


def _say(found: "Look", file: Path, kept: Path | None) -> None:
    from sparkwell.app.settings.written import in_words

    for label, said in in_words(found):
        click.echo(f"{label:<9}{said}")
    click.echo(f"\nWrote {file}{f'; the one before is {kept}' if kept else ''}")
    click.echo("\nNext:\n" + "\n".join(f"  {line}" for line in _next(found)))


def _next(found: "Look") -> list[str]:
    best = found.recommended
    if best is None:
        return ["sparkwell plan MODEL       says what a model lacks here"]
    if best.demo:
        return ["sparkwell demo             a real engine and a small model"]
    pull = [] if best.here else [f"sparkwell pull {best.model}"]
    return [f"sparkwell preflight {best.model}", *pull, f"sparkwell up {best.model}"]
