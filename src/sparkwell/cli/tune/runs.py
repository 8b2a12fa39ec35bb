"""`sparkwell tune list`, `show` and `apply`: tunings that were kept."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.core.errors import EnvironmentFault, SparkwellError, UsageError

if TYPE_CHECKING:
    from sparkwell.app.tuning.applying import Applied
    from sparkwell.app.tuning.document import Tuning


@click.command("list")
@json_option
@pass_context
def list_(context: Context, as_json: bool) -> None:
    """List the tunings that were kept, newest first."""
    from sparkwell.app.tuning import keeping
    from sparkwell.cli.tune.text import listing

    found = []
    for file in keeping.kept(context.paths.tunings):
        try:
            found.append(keeping.load(file))
        except SparkwellError as error:
            click.echo(error.message, err=True)
    if as_json:
        rows = [
            {
                "id": each.id, "model": each.model, "goal": each.goal, "began": each.began,
                "said": None if each.outcome is None else each.outcome.said,
            }
            for each in found
        ]  # fmt: skip
        click.echo(json.dumps({"tunings": rows}))
    else:
        click.echo(listing(found))


@click.command("show")
@click.argument("name", metavar="TUNING", default="1")
@json_option
@pass_context
def show(context: Context, name: str, as_json: bool) -> None:
    """Show a tuning: its name, how that begins, its number in the list, or a file."""
    import msgspec

    from sparkwell.app.tuning import keeping
    from sparkwell.cli.tune.text import text

    tuning = keeping.load(keeping.find(context.paths.tunings, name))
    click.echo(json.dumps(msgspec.to_builtins(tuning)) if as_json else text(tuning))


@click.command("apply")
@click.argument("name", metavar="TUNING", default="1")
@pass_context
def apply(context: Context, name: str) -> None:
    """Make a tuning's flags the profile tuned-GOAL, also where the gain did not hold."""
    from sparkwell.app.tuning import applying, keeping

    file = keeping.find(context.paths.tunings, name)
    tuning = keeping.load(file)
    if tuning.outcome is None:
        raise UsageError(
            f"{tuning.id} is not finished.", hint="The same command with --resume goes on."
        )
    own = context.models.changes_of(tuning.model).flags
    done = applying.apply(tuning, context.paths.tuned, own)
    click.echo(f"Kept as {done.file}.")
    click.echo(f"Use it: `sparkwell up {tuning.model} --profile tuned-{tuning.goal}`.")
    _record(file, tuning, done)


def _record(file: Path, tuning: "Tuning", done: "Applied") -> None:
    """In the tuning; where its file takes nothing more, that is told: the profile is there."""
    from sparkwell.app.tuning import keeping
    from sparkwell.app.tuning.ledger import Ledger

    ledger = Ledger(tuning, lambda kept: keeping.save(file, kept), lambda _: None)
    try:
        ledger.applied(str(done.file), done.outweighed)
    except EnvironmentFault as error:
        click.echo(click.style("! ", fg="yellow") + error.message, err=True)
