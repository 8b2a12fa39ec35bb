"""`sparkwell import`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.core.errors import DocumentError, UsageError

if TYPE_CHECKING:
    from sparkwell.app.importing.reading import Imported, Taken
    from sparkwell.engines.compose.reading_fields import Left


@click.command("import", short_help="Read what a Compose file serves, and take it over.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--env",
    "env_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where variables come from (default: .env beside FILE). Tokens are not read.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The settings file to put it into; what is there stays.",
)
@click.option("--dry-run", is_flag=True, help="With -o: print the file, write nothing.")
@json_option
@pass_context
def import_(
    context: Context,
    file: Path,
    env_file: Path | None,
    output: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Read the Compose file FILE and print the settings that serve the same models here.

    Services of vLLM and Ollama are taken over: recipes by their repository, flags that differ,
    images, folders, ports. What cannot be taken over is named with its line and the reason. The
    settings are printed on stdout, what became of each service on stderr.
    """
    from sparkwell.app.importing.files import import_file
    from sparkwell.app.settings.file import as_yaml, write_settings

    if dry_run and output is None:
        raise UsageError("--dry-run is for -o.", hint="Without -o nothing is written anyway.")
    found = import_file(file, env_file, context.catalog, context.environ)
    text = as_yaml(found.settings) if output is None else _merged(output, found)
    kept = write_settings(output, text) if output and not dry_run else None
    if as_json:
        click.echo(json.dumps(_document(file, found, output if not dry_run else None, kept)))
        return
    _say(file, found)
    if output is None or dry_run:
        click.echo(text, nl=False)
    else:
        click.echo(f"Wrote {output}{f'; the one before is {kept}' if kept else ''}", err=True)


def _merged(output: Path, found: "Imported") -> str:
    from sparkwell.app.settings.merge import merged

    try:
        there = output.read_text(encoding="utf-8")
    except FileNotFoundError:
        there = ""
    except UnicodeDecodeError:
        raise DocumentError(f"{output}: this is not text in UTF-8") from None
    return merged(there, found.settings, str(output))


def _document(
    file: Path, found: "Imported", written: Path | None, kept: Path | None
) -> dict[str, Any]:
    return {
        "file": str(file),
        "settings": dict(found.settings),
        "services": [_entry(each) for each in found.services],
        "left": [_left(each) for each in found.left],
        "written": str(written) if written else None,
        "kept": str(kept) if kept else None,
    }


def _entry(taken: "Taken") -> Mapping[str, Any]:
    return {
        "service": taken.service,
        "line": taken.line,
        "engine": taken.engine,
        "model": taken.model,
        "taken": list(taken.taken),
        "done_by_sparkwell": list(taken.own),
        "left": [_left(each) for each in taken.left],
    }


def _left(left: "Left") -> Mapping[str, Any]:
    return {"line": left.line, "field": left.name, "reason": left.why, "remedy": left.remedy}


def _say(file: Path, found: "Imported") -> None:
    for each in found.services:
        what = each.model or (each.engine if each.taken else None) or "not taken over"
        colour = "green" if each.model or each.taken else "yellow"
        click.echo(f"{each.service}: {click.style(what, fg=colour)}", err=True)
        for sentence in each.taken:
            click.echo(f"  {sentence}", err=True)
        if each.own:
            click.echo(f"  Sparkwell takes care of: {', '.join(each.own)}", err=True)
        for left in each.left:
            _say_left(file, left)
    if found.left:
        click.echo("Of the file:", err=True)
    for left in found.left:
        _say_left(file, left)


def _say_left(file: Path, left: "Left") -> None:
    mark = click.style("left", fg="yellow")
    click.echo(f"  {mark} {file}:{left.line}: {left.name} {left.why}", err=True)
    if left.remedy:
        click.echo(f"       {left.remedy}", err=True)
