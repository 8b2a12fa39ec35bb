"""What `sparkwell bench compare` says: two runs beside each other."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from sparkwell.bench.comparing import LEAST_EFFECT, Compared
from sparkwell.bench.differences import differences
from sparkwell.bench.intervals import Ratio
from sparkwell.bench.saved import caching_is_off
from sparkwell.bench.tables import UNKNOWN, interval_text, plain, seconds
from sparkwell.cli.bench.text import marked
from sparkwell.cli.table import table
from sparkwell.core.figure_names import FIGURES

Json = Mapping[str, Any]


def comparison(before: Json, after: Json, rows: Sequence[Compared], notes: Sequence[str]) -> str:
    """The second run over the first; ``notes`` are what both say of the cases compared."""
    head = ("CASE", "FIGURE", "BEFORE", "AFTER", "RATIO", "95 %", "VERDICT")
    lines = table(head, [_compared(row) for row in rows])
    named = f"{_name(before)} → {_name(after)}"
    parts = [named, _differences(before, after), lines, *marked(notes), _terms(rows)]
    return "\n\n".join(parts)


def _terms(rows: Sequence[Compared]) -> str:
    return (
        "Before and after are geometric means of the repeats; 95 % is of each figure alone.\n"
        f"Verdicts allow for all {len(rows)} at once, and for what is below {LEAST_EFFECT:.0%}."
    )


def _name(document: Json) -> str:
    off = " (prefix caching off)" if caching_is_off(document["flags"]) else ""
    return f"{document['run']}{off}"


def _differences(before: Json, after: Json) -> str:
    found = differences(before, after)
    if found:
        return table(("DIFFERS", "BEFORE", "AFTER"), found)
    known = before["flags"] is not None
    return "Same flags, engine and machine." if known else "The flags of both are not known."


def _compared(row: Compared) -> list[str]:
    told = row.ratio
    value, ends = (UNKNOWN, UNKNOWN) if told is None else (f"{told.value:.3f}", interval_text(told))
    name = FIGURES.get(row.figure, row.figure)
    before, after = (_shown(row.figure, each) for each in (row.before, row.after))
    return [row.case, name, before, after, value, ends, _judgement(row)]


def _shown(figure: str, value: float | None) -> str:
    is_time = figure.endswith("_s") and "per_s" not in figure
    return seconds(value) if is_time and value is not None else plain(value)


def _judgement(row: Compared) -> str:
    if row.better is None:
        return row.verdict if row.ratio is not None or row.verdict == "in doubt" else UNKNOWN
    return click.style("better", fg="green") if row.better else click.style("worse", fg="red")


def comparison_document(
    before: Json, after: Json, rows: Sequence[Compared], notes: Sequence[str]
) -> dict[str, Any]:
    """What --json prints."""
    return {
        "before": before["run"],
        "after": after["run"],
        "differences": [each._asdict() for each in differences(before, after)],
        "notes": list(notes),
        "figures": [
            {
                "case": row.case, "figure": row.figure, "before": row.before, "after": row.after,
                **_ratio(row.ratio), "verdict": row.verdict, "better": row.better,
            }
            for row in rows
        ],
    }  # fmt: skip


def _ratio(told: Ratio | None) -> dict[str, float | None]:
    if told is None:
        return dict.fromkeys(("ratio", "low", "high", "p"))
    return {"ratio": told.value, "low": told.low, "high": told.high, "p": told.p}
