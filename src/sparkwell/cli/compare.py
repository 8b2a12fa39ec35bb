"""`sparkwell compare`."""

import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.plan import PROFILES
from sparkwell.core.errors import SparkwellError, UsageError
from sparkwell.core.units import GIB, duration, file_size

if TYPE_CHECKING:
    from sparkwell.app.planning import Planning
    from sparkwell.planner.compare import Candidate, Comparison, Row

MIB = 1024 * 1024
_MOST_REQUESTS = 100_000
_PIPED_WIDTH = 10_000
_WIDTH = 100


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
        from sparkwell.cli.plot import draw

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
    from sparkwell.app.planning import Wish
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


Cell = tuple[str, Mapping[str, Any]]
_PLAIN: Mapping[str, Any] = {}
_BEST: Mapping[str, Any] = {"fg": "green", "bold": True}
_BAD: Mapping[str, Any] = {"fg": "red", "bold": True}


def page(comparison: "Comparison", width: int) -> str:
    """The table, in as many pieces as the width asks for, and what is to be said about it."""
    titles = ["", *(row.title for row in comparison.rows), "vLLM", "Fits"]
    columns = [_column_of(comparison, place) for place in range(len(comparison.candidates))]
    pieces = _pieces(titles, columns, width)
    blocks = [_headline(comparison), *pieces, "\n".join(_notes(comparison))]
    return "\n\n".join(block for block in blocks if block)


def _headline(comparison: "Comparison") -> str:
    plans = [each.plan for each in comparison.candidates if each.plan]
    machines = dict.fromkeys(plan.question.machine.name for plan in plans)
    profiles = dict.fromkeys(each.profile for each in comparison.candidates)
    shared = f", profile {next(iter(profiles))}" if len(profiles) == 1 else ""
    return click.style(f"{', '.join(machines)}{shared}", bold=True)


def _column_of(comparison: "Comparison", place: int) -> list[Cell]:
    candidate = comparison.candidates[place]
    style = _PLAIN if candidate.fits else _BAD
    cells = [_cell(row, place) for row in comparison.rows]
    verdict = "yes" if candidate.fits else ("no" if candidate.plan else "not planned")
    version = candidate.plan.question.rules.version if candidate.plan else "-"
    ends = ((version, _PLAIN), (verdict, style))
    return [(comparison.labels[place], style or {"bold": True}), *cells, *ends]


def _cell(row: "Row", place: int) -> Cell:
    value = row.values[place]
    if value is None:
        return "-", _PLAIN
    # Downloads are in GB, as the Hub shows them; memory is in GiB.
    text = file_size(value) if row.name == "download_bytes" else _FORMATS[row.unit](value)
    if place in row.best:
        return f"{text} *", _BEST
    return text, _BAD if value < 0 else _PLAIN


def _pieces(titles: Sequence[str], columns: Sequence[list[Cell]], width: int) -> Iterator[str]:
    """As many columns beside each other as the terminal is wide, at least one."""
    rest = list(columns)
    first = max(map(len, titles))
    while rest:
        widths = [max(len(text) for text, _ in column) + 3 for column in rest]
        ends = accumulate(widths, initial=first)
        count = max(1, sum(end <= width for end in ends) - 1)
        lines = zip(titles, *rest[:count], strict=True)
        yield "\n".join(_line(title, cells, first, widths) for title, *cells in lines)
        rest = rest[count:]


def _line(title: str, cells: Sequence[Cell], first: int, widths: Sequence[int]) -> str:
    """Numbers end under each other, with room for the star of the best one."""
    line = title.ljust(first)
    for (text, style), width in zip(cells, widths, strict=False):
        star = " *" if text.endswith(" *") else "  "
        figure = text.removesuffix(" *")
        line += " " * (width - len(figure) - 2) + _styled(figure, style) + star
    return line.rstrip()


def _styled(text: str, style: Mapping[str, Any]) -> str:
    return click.style(text, **style) if style else text


def _notes(comparison: "Comparison") -> Iterator[str]:
    if any(row.best for row in comparison.rows):
        yield "* the best of those that fit"
    speeds = [each.plan.speed for each in comparison.candidates if each.plan and each.plan.speed]
    if speeds:
        contexts = dict.fromkeys(f"{speed.context:,}" for speed in speeds)
        prompts = dict.fromkeys(f"{speed.prompt_tokens:,}" for speed in speeds)
        yield (
            f"Speeds count with {' or '.join(contexts)} tokens of context, the first token with "
            f"a prompt of {' or '.join(prompts)}."
        )
    for label, candidate in zip(comparison.labels, comparison.candidates, strict=True):
        yield from _complaints(label, candidate, max(comparison.concurrency, default=1))


def _complaints(label: str, candidate: "Candidate", most: int) -> Iterator[str]:
    plan, error = candidate.plan, candidate.error
    if error is not None:
        yield click.style(f"{label} cannot be planned: {error.message}", fg="red")
        yield from _indented(error.hint)
    elif plan is not None and not plan.fits:
        yield click.style(f"{label} does not fit.", fg="red")
        remedies: dict[str, list[str]] = {}
        for problem in plan.problems:
            remedies.setdefault(problem.message, []).extend(filter(None, [problem.remedy]))
        for message, found in remedies.items():
            yield from _indented(message)
            for remedy in found:
                yield from _indented(f"- {remedy}")
    elif plan is not None and plan.speed is not None:
        running = max((each.concurrency for each in plan.speed.batched), default=1)
        if running < most:
            yield f"{label} runs {running} requests at once; others wait, and the rate stays."


def _indented(text: str | None) -> Iterator[str]:
    if text:
        hanging = "    " if text.startswith("- ") else "  "
        yield textwrap.fill(text, _WIDTH, initial_indent="  ", subsequent_indent=hanging)


def _width() -> int:
    """The terminal's columns; a file or a pipe takes the table in one piece."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPED_WIDTH


def _size(count: float) -> str:
    return f"{count / GIB:.1f} GiB" if abs(count) >= 0.05 * GIB else f"{count / MIB:.1f} MiB"


def _parameters(count: float) -> str:
    return f"{count / 1e9:.1f} B" if count >= 1e8 else f"{count / 1e6:.1f} M"


_FORMATS: Mapping[str, Callable[[float], str]] = {
    "parameters": _parameters,
    "bytes": _size,
    "tokens": lambda value: f"{value:,.0f}",
    "requests": lambda value: f"{value:,.1f}",
    "tokens/s": lambda value: f"{value:,.1f}" if value < 100 else f"{value:,.0f}",
    "s": lambda value: f"{value:.2f} s" if value < 10 else duration(value),
}
