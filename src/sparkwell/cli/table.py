"""Tables for the terminal: columns as wide as their widest cell."""

import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest

import click

NARROW = 80
"""Columns that any terminal has."""
GAP = "  "


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows under a head, left-aligned, two spaces apart."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(_line(line, widths) for line in lines)


def wrapped_table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int = NARROW) -> str:
    """The same in ``width`` columns: the last column's lines are broken where they are too long."""
    others = [
        max(_width(line[column]) for line in (head, *rows)) for column in range(len(head) - 1)
    ]
    room = width - sum(others) - len(GAP) * len(others)
    return table(head, [line for row in rows for line in _broken(row, room)])


def _broken(row: Sequence[str], room: int) -> Iterable[Sequence[str]]:
    """A row as several, of which the first has all columns."""
    *cells, last = row
    parts = [part for line in last.splitlines() for part in _parts(line, room)]
    columns = ([cell] for cell in cells)
    return zip_longest(*columns, parts or [""], fillvalue="")


def _parts(line: str, room: int) -> list[str]:
    return textwrap.wrap(line, max(room, 1), break_on_hyphens=False)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True)
    )
    return GAP.join(padded).rstrip()


def _width(cell: str) -> int:
    """Columns that a cell takes: its colours take none."""
    return len(click.unstyle(cell))
