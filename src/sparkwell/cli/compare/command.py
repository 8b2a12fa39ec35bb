"""`sparkwell compare`."""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparkwell.cli.compare.columns import page
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.core.errors import SparkwellError, UsageError
from sparkwell.planner.profile_names import PROFILES

if TYPE_CHECKING:
    from sparkwell.app.planning.planning import Planning
    from sparkwell.planner.compare import Candidate, Comparison

_MOST_REQUESTS = 100_000
_PIPED_WIDTH = 10_000


@click.command(short_help="Put models side by side: memory, speed, start-up.")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@click.option("--hardware", metavar="NAME|FILE", help="Compare for a described machine.")
@click.option("--engine-version", metavar="V", help="Compare with this version of vLLM.")
@click.option(
    "--profile",
    "profiles",
    type=click.Choice(PROFILES),
    multiple=True,
    help="What the flags are chosen for; may be given several times.  [default: balanced]",
)
@click.option(
    "--concurrency",
    metavar="LIST",
    default="1,8,64",
    show_default=True,
    help="Requests at once for which tokens/s are shown.",
)
@click.option(
    "--plot",
    metavar="FILE.png|svg",
    type=click.Path(path_type=Path),
    help="Draw memory and speed into a file; needs `pip install 'sparkwell[plot]'`.",
)
@json_option
@pass_context
def compare(
    context: Context,
    models: tuple[str, ...],
    hardware: str | None,
    engine_version: str | None,
    profiles: tuple[str, ...],
    concurrency: str,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Plan every MODEL and show the figures in columns; the best of those that fit has a star.

    Two models at least, or one with several profiles. A model that cannot be planned keeps its
    column, with the reason below the table.
    """
    counts = parse_concurrency(concurrency)
    pairs = _pairs(models, profiles or ("balanced",))
    if plot is not None:
        from sparkwell.cli.picture import check_picture

        check_picture(plot)
    from sparkwell.planner.compare import compare as lay_out

    made = lay_out(_candidates(context.planning, pairs, hardware, engine_version), counts)
    if plot is not None:
        from sparkwell.cli.compare.plot import draw

        draw(made, plot)
    if as_json:
        click.echo(json.dumps(document(made, plot)))
        return
    click.echo(page(made, _width()))
    if plot is not None:
        click.echo(f"\nPicture: {plot}")


def parse_concurrency(text: str) -> tuple[int, ...]:
    """The numbers of a list such as "1,8,64"; raises UsageError."""
    words = [word.strip() for word in text.split(",")]
    counts = [int(word) for word in words if word.isdecimal() and len(word) <= 6]
    if len(counts) < len(words) or not all(1 <= count <= _MOST_REQUESTS for count in counts):
        raise UsageError(
            f"--concurrency takes numbers from 1 to {_MOST_REQUESTS:,}, not {text!r}.",
            hint="For example: --concurrency 1,8,64",
        )
    return tuple(counts)


def _pairs(models: Sequence[str], profiles: Sequence[str]) -> list[tuple[str, str]]:
    """Every model with every profile, each once; raises UsageError for a single one."""
    pairs = list(dict.fromkeys((model, profile) for model in models for profile in profiles))
    if len(pairs) < 2:
        raise UsageError(
            "One model alone has nothing to be compared with.",
            hint="Name another model, or give --profile twice; `sparkwell plan` shows one.",
        )
    return pairs


def _candidates(
    planning: "Planning",
    pairs: Sequence[tuple[str, str]],
    hardware: str | None,
    version: str | None,
) -> "list[Candidate]":
    """A plan for each pair, or its error; raises where no pair at all can be planned."""
    from sparkwell.app.planning.planning import Wish
    from sparkwell.planner.compare import Candidate

    planning.machine(hardware)  # a wrong name is nobody's column
    found = []
    for model, profile in pairs:
        try:
            plan = planning.plan(model, Wish(hardware, version, profile))
        except SparkwellError as error:
            found.append(Candidate(model, profile, error=error))
        else:
            found.append(Candidate(plan.question.described.name, profile, plan))
    errors = [each.error for each in found if each.error]
    if len(errors) == len(found):
        raise errors[0]
    return found


def document(comparison: "Comparison", plot: Path | None) -> dict[str, Any]:
    """The comparison as JSON: the plans by column, the rows of their figures, the best by place."""
    return {
        "models": [
            {"label": label, **_column(each)}
            for label, each in zip(comparison.labels, comparison.candidates, strict=True)
        ],
        "rows": [asdict(row) for row in comparison.rows],
        "concurrency": list(comparison.concurrency),
        "plot": None if plot is None else str(plot),
    }


def _column(candidate: "Candidate") -> dict[str, Any]:
    from sparkwell.planner.report import contract

    plan, error = candidate.plan, candidate.error
    return {
        "model": candidate.model,
        "profile": candidate.profile,
        "fits": None if plan is None else plan.fits,
        "plan": None if plan is None else contract(plan),
        "error": error and {"code": error.code, "message": error.message, "hint": error.hint},
    }


def _width() -> int:
    """The terminal's columns; a file or a pipe takes the table in one piece."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPED_WIDTH
