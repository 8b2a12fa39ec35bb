"""What tuned flags were measured to do, under the flags of a plan."""

from collections.abc import Iterator, Mapping
from itertools import groupby

import click

from sparkwell.catalog.recipe import FlagValue
from sparkwell.catalog.tuned import Evidence, Row, Slo, Tuned
from sparkwell.cli.finding_text import plain
from sparkwell.cli.plan.text import item
from sparkwell.core.figure_names import FIGURES
from sparkwell.planner.question import Question

_LIMITS = {"ttft_s": "the first token", "tpot_s": "each later one", "e2e_s": "the whole answer"}


def evidence_of(question: Question) -> str | None:
    """How tuned flags were found, what they gave, the way back; None for other flags."""
    tuned = question.tuned
    if tuned is None:
        return None
    said = [
        _found(tuned),
        *_limits(tuned.slo),
        *map(plain, tuned.evidence.notes),
        *_unmeasured(question.flags, tuned.flags),
        f"The way back is --profile {tuned.way_back}.",
    ]
    head = click.style("Evidence", bold=True)
    return "\n".join([head, *_rows(tuned.evidence), *map(item, said)])


def _found(tuned: Tuned) -> str:
    evidence = tuned.evidence
    trials = "1 trial" if evidence.trials == 1 else f"{evidence.trials} trials"
    return f"Measured on {evidence.date} in {trials} by `{plain(evidence.command)}`."


def _limits(slo: Slo | None) -> Iterator[str]:
    limits = slo.model_dump(exclude_none=True) if slo else {}
    said = [f"{_LIMITS[name]} within {value:g} s" for name, value in limits.items()]
    if said:
        yield f"Answers had to keep to: {', '.join(said)}."


def _rows(evidence: Evidence) -> Iterator[str]:
    """Each workload with its figures below it: narrow enough for any terminal."""
    widest = max(len(_named(row)) for row in evidence.rows)
    for (workload, tuned_on), rows in groupby(
        evidence.rows, lambda row: (row.workload, row.tuned_on)
    ):
        yield f"  {plain(workload)}{' (the flags were chosen by it)' if tuned_on else ''}"
        yield from (f"    {_named(row):<{widest}}  {_figures(row)}" for row in rows)


def _named(row: Row) -> str:
    return FIGURES.get(row.figure, row.figure)


def _figures(row: Row) -> str:
    both = f"{_short(row.before)} before, {_short(row.after)} now"
    if row.ratio is None:
        return both
    between = ""
    if row.low is not None and row.high is not None:
        between = f" ({row.low:.2f} to {row.high:.2f})"
    return f"{both}: x {row.ratio:.2f}{between}"


def _short(figure: float | None) -> str:
    if figure is None:
        return "unknown"
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"


def _unmeasured(flags: Mapping[str, FlagValue], tuned: Mapping[str, FlagValue]) -> Iterator[str]:
    """Flags that are otherwise than when they were measured: the user's, or what sleep needs."""
    other = [name for name, value in flags.items() if tuned.get(name) != value]
    if other:
        yield f"Otherwise here than when it was measured: {', '.join(other)}."
