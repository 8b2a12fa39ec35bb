"""A run as a table for spreadsheets: a row for each case. Pure."""

import csv
import io
from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]
_ENDS = {"mean": "", "low": "_low", "high": "_high"}


def csv_text(document: Json) -> str:
    """All cases with all their figures, the ends of the intervals beside the means."""
    rows = [_row(document, case) for case in document["cases"]]
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(document: Json, case: Json) -> dict[str, Any]:
    row = {name: document[name] for name in ("run", "model", "suite")}
    row |= {"case": case["name"], **case["workload"]}
    row |= {name: case[name] for name in ("clients", "rate", "requests", "failed")}
    for name, interval in case["measured"].items():
        row |= {f"{name}{end}": _end(interval[key]) for key, end in _ENDS.items()}
    planned, guide = case["planned"] or {}, case["guide"] or {}
    row |= {f"planned_{name}": value for name, value in planned.items()}
    return row | {f"guide_{name}": guide.get(name) for name in ("low", "high")}


def _end(value: float | None) -> float | None:
    """Nothing that is measured is below 0; an interval of few repeats that differ may go there."""
    return None if value is None else max(0.0, value)
