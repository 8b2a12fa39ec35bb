"""The check of a tuning as a table: the flags from before beside those found."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import click

from sparkwell.bench.tables import UNKNOWN
from sparkwell.cli.table import table
from sparkwell.core.figure_names import FIGURES
from sparkwell.core.units import figure

Json = Mapping[str, Any]
_SHARE = "good_share"
_COLOURS = {"better": "green", "worse": "red"}
_HEAD = ("FIGURE", "BEFORE", "FOUND", "RATIO", "95 %", "VERDICT")


def check_table(gains: Sequence[Json]) -> str:
    """Each workload with its figures below it: narrow enough for any terminal."""
    head, *rows = table(_HEAD, map(_row, gains)).splitlines()
    return "\n".join([f"  {head}", *_below_workloads(gains, rows)])


def _below_workloads(gains: Sequence[Json], rows: Sequence[str]) -> Iterator[str]:
    both = zip(gains, rows, strict=True)
    for workload, group in groupby(both, lambda pair: _workload(pair[0])):
        yield workload
        yield from (f"  {row}" for _, row in group)


def _workload(gain: Json) -> str:
    return str(gain["workload"]) + (" (tuned on)" if gain["tuned_on"] else "")


def _row(gain: Json) -> list[str]:
    name, verdict = str(gain["figure"]), str(gain["verdict"])
    told = gain["ratio"] or {}
    return [
        FIGURES.get(name, name), _figure(name, gain["before"]), _figure(name, gain["after"]),
        _known(told.get("value")), _between(told.get("low"), told.get("high")),
        click.style(verdict, fg=_COLOURS.get(verdict)),
    ]  # fmt: skip


def _figure(name: str, value: float | None) -> str:
    return f"{value:.1%}" if name == _SHARE and value is not None else _known(value)


def _known(value: float | None) -> str:
    """No request was answered where it is not finite; a file has None then."""
    return UNKNOWN if value is None or not math.isfinite(value) else figure(value)


def _between(low: float | None, high: float | None) -> str:
    """Repeats that came out alike have the same ends."""
    ends = dict.fromkeys((_known(low), _known(high)))
    return " to ".join(ends)
