"""Runs side by side, as a table with a column for each, and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import click

from sparkwell.bench.side_by_side import Row, side_by_side
from sparkwell.bench.tables import UNKNOWN, plain, seconds
from sparkwell.cli.table import table
from sparkwell.core.figure_names import FIGURES

Run = Mapping[str, Any]
SHOWN = ("output_tokens_per_s", "ttft_p50_s", "ttft_p99_s", "tpot_p50_s", "e2e_p50_s")
"""What of a case is shown; the runs that are kept have all."""


def page(names: Sequence[str], runs: Sequence[Run]) -> str:
    """For a person: each case with its figures, the best with a star."""
    rows = side_by_side(runs, SHOWN)
    star = (
        ["* better than each other, beyond chance"] if any(r.best is not None for r in rows) else []
    )
    parts = [_head(runs[0]), *_cases(names, rows), *_flags(names, runs), *_notes(names, runs)]
    return "\n\n".join([*parts, *star])


def _head(run: Run) -> str:
    machine = run["machine"].get("title") or run["machine"].get("name") or "an unknown machine"
    name = click.style(str(run["model"]), bold=True)
    return f"{name} on {machine}, suite {run['suite']}"


def _cases(names: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    for case, of in groupby(rows, key=lambda row: row.case):
        yield table((case, *names), [_line(row) for row in of])


def _line(row: Row) -> list[str]:
    shown = seconds if row.figure.endswith("_s") and "per_s" not in row.figure else plain
    figures = [UNKNOWN if value is None else shown(value) for value in row.values]
    if row.best is not None:
        figures[row.best] = click.style(f"{figures[row.best]} *", fg="green")
    return [FIGURES.get(row.figure, row.figure), *figures]


def _flags(names: Sequence[str], runs: Sequence[Run]) -> Iterator[str]:
    """The flags in which they differ."""
    of = [run["flags"] or {} for run in runs]
    known = dict.fromkeys(name for flags in of for name in flags)
    differ = [name for name in known if len({str(flags.get(name)) for flags in of}) > 1]
    if differ:
        lines = [[name, *(str(flags.get(name, "not set")) for flags in of)] for name in differ]
        yield table(("FLAG", *names), lines)


def _notes(names: Sequence[str], runs: Sequence[Run]) -> Iterator[str]:
    """What speaks against a run's figures; those are held against no other's."""
    said = [
        f"{name}, {case['name']}: {note}"
        for name, run in zip(names, runs, strict=True)
        for case in run["cases"]
        for note in case["notes"]
    ]
    if said:
        yield "\n".join(click.style("! ", fg="yellow") + each for each in said)


def document(names: Sequence[str], runs: Sequence[Run]) -> dict[str, Any]:
    """What --json prints; ``best`` is a variant, None where no difference was shown."""
    return {
        "model": runs[0]["model"],
        "suite": runs[0]["suite"],
        "variants": [
            {"variant": name, "run": run["run"], "flags": run["flags"], "broken": run["broken"]}
            for name, run in zip(names, runs, strict=True)
        ],
        "figures": [
            {
                "case": row.case, "figure": row.figure,
                "values": dict(zip(names, row.values, strict=True)),
                "best": None if row.best is None else names[row.best],
            }
            for row in side_by_side(runs, SHOWN)
        ],
    }  # fmt: skip
