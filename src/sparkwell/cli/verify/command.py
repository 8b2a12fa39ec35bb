"""`sparkwell verify`: measure a model beside plan and guides, and write a report to send in."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparkwell.cli.client import run
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.options import WithModel, profile_option, set_option

if TYPE_CHECKING:
    from sparkwell.app.verifying.gathered import Gathered
    from sparkwell.app.verifying.scrub import Private
    from sparkwell.catalog import Recipe

FAILED = 1


@click.group(cls=WithModel, short_help="Check plan and guides by measuring; write a report.")
def verify() -> None:
    """Check on your hardware what Sparkwell plans and the guides claim.

    \b
      sparkwell verify qwen3-8b-fp8          pre-flight, up, the guide suite, doctor
      sparkwell verify show FILE             a report that somebody sent
    """  # noqa: D301 - \b is click's mark for "leave these lines alone"


@verify.command("run")
@click.argument("model", required=False)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="PLACE",
    help="The report's file, or the folder for it.  [default: this folder]",
)
@click.option(
    "--suite",
    default="guide",
    show_default=True,
    help="What is measured, as for `sparkwell bench`.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="Times that all of it is measured.",
)
@set_option("A flag of the engine, as for `sparkwell up`; may be given several times.")
@profile_option("What the flags are chosen for on a GPU; guide: as the guide has them.")
@click.option("--keep", is_flag=True, help="Leave the model running that was started for this.")
@click.option("--rows", is_flag=True, help="Put every request into the report: it grows tenfold.")
@json_option
@pass_context
def run_(
    context: Context,
    model: str | None,
    output: Path | None,
    suite: str,
    repeats: int,
    flags: tuple[str, ...],
    profile: str | None,
    keep: bool,
    rows: bool,
    as_json: bool,
) -> int:
    """Measure MODEL, and write one report with plan, claims and figures side by side.

    Without MODEL it is the one that runs, or the one that the settings name under `start`. A model
    that runs is measured as it is, and left running; one that is started here is stopped again.
    Secrets, names and addresses of this machine are left out. The exit status is 0 when all was
    measured, whether it agrees or not, and 1 when a step failed: the report says which.
    """
    from sparkwell.app.verifying.files import must_take, place
    from sparkwell.app.verifying.whole import private_to
    from sparkwell.cli.verify.asked import check, meant, recipe_of
    from sparkwell.cli.verify.session import Wish, status_now
    from sparkwell.cli.verify.steps import gather

    at, status = time.time(), run(status_now(context))
    recipe = recipe_of(context, meant(context, model, status))
    wish = Wish(recipe, suite, repeats, flags, profile, keep, as_json)
    check(context, wish, status)
    file = place(output, recipe.name, at)
    must_take(file)
    private = private_to(context.models, recipe, context.config_file)
    found = gather(context, wish, status, at)
    return _told(context, recipe, found, private, file, rows=rows, as_json=as_json)


def _told(
    context: Context,
    recipe: "Recipe",
    found: "Gathered",
    private: "Private",
    file: Path,
    *,
    rows: bool,
    as_json: bool,
) -> int:
    """Write the report and show it: a disk may have filled up meanwhile, a terminal be gone."""
    from sparkwell.app.verifying.files import write
    from sparkwell.app.verifying.whole import whole_report
    from sparkwell.cli.verify.text import text, written

    document = whole_report(context.models, recipe, found, private, requests=rows)
    try:
        size = write(file, document)
    finally:
        _say(json.dumps(document) if as_json else text(document))
    if not as_json:
        _say(written(file, size))
    if found.stopped:
        raise KeyboardInterrupt
    return 0 if found.failed is None else FAILED


def _say(text: str) -> None:
    """On stdout, with "?" for a sign that its encoding has not."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(text.encode(encoding, "replace").decode(encoding))


@verify.command("show")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def show(file: Path, as_json: bool) -> None:
    """Show a report that `sparkwell verify` has written, here or elsewhere."""
    from sparkwell.app.verifying.files import read
    from sparkwell.cli.verify.text import text

    document = read(file)
    _say(json.dumps(document) if as_json else text(document))
