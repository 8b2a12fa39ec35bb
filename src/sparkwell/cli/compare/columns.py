"""A comparison as a table with a column for each model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import click

from sparkwell.cli.compare.notes import notes
from sparkwell.core.units import GIB, duration, file_size

if TYPE_CHECKING:
    from sparkwell.planner.compare import Comparison, Row

MIB = 1024 * 1024
Cell = tuple[str, Mapping[str, Any]]
_PLAIN: Mapping[str, Any] = {}
_BEST: Mapping[str, Any] = {"fg": "green", "bold": True}
_BAD: Mapping[str, Any] = {"fg": "red", "bold": True}


def page(comparison: "Comparison", width: int) -> str:
    """The table, in as many pieces as the width asks for, and what is to be said about it."""
    titles = ["", *(row.title for row in comparison.rows), "vLLM", "Fits"]
    columns = [_column_of(comparison, place) for place in range(len(comparison.candidates))]
    pieces = _pieces(titles, columns, width)
    blocks = [_headline(comparison), *pieces, "\n".join(notes(comparison))]
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
