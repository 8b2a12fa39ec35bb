"""`sparkwell bench list`, `show` and `compare`: runs that were kept."""

import json
from pathlib import Path

import click

from sparkwell.cli.bench.files import Files, file_options
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.core.errors import SparkwellError


@click.command("list")
@json_option
@pass_context
def list_(context: Context, as_json: bool) -> None:
    """List the runs that were kept, newest first."""
    from sparkwell.cli.bench.text import listing
    from sparkwell.store.benchmarks import load, runs

    folder, found = context.paths.benchmarks, []
    for name in runs(folder):
        try:
            found.append(load(folder, name))
        except SparkwellError as error:
            click.echo(error.message, err=True)
    if as_json:
        kept = ("run", "at", "model", "suite", "broken")
        rows = [{name: each[name] for name in kept} for each in found]
        click.echo(json.dumps({"runs": rows}))
    else:
        click.echo(listing(found))


@click.command("show")
@click.argument("name", metavar="RUN", default="1")
@file_options
@json_option
@pass_context
def show(context: Context, /, name: str, as_json: bool, **files: Path | None) -> None:
    """Show a run that was kept: its name, how that begins, its number in the list, or a file."""
    from sparkwell.cli.bench.text import text
    from sparkwell.store.benchmarks import load

    wanted = Files(**files)
    wanted.check()
    document = load(context.paths.benchmarks, name)
    click.echo(json.dumps(document) if as_json else text(document))
    wanted.write(document)


@click.command("compare")
@click.argument("before", metavar="RUN")
@click.argument("after", metavar="RUN")
@json_option
@pass_context
def compare(context: Context, before: str, after: str, as_json: bool) -> None:
    """Compare two runs: the second over the first, with a 95 % interval.

    A difference is called one only where chance would show none as large in any of the figures, it
    is 2 % or more, and neither run notes a doubt about that case.
    """
    from sparkwell.bench.comparing import compare as compared
    from sparkwell.bench.comparing import noted
    from sparkwell.cli.bench.comparison import comparison, comparison_document
    from sparkwell.store.benchmarks import load

    one, other = (load(context.paths.benchmarks, name) for name in (before, after))
    said = (one, other, compared(one, other), noted(one, other))
    if as_json:
        click.echo(json.dumps(comparison_document(*said)))
    else:
        click.echo(comparison(*said))
