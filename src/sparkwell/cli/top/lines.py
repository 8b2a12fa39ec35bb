"""Lines of text for a terminal: cut to its width, and aligned in columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from sparkwell.cli.top.words import plain

GAP = "  "
LEAST = 8
"""A column that gives way to the others keeps this many cells."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its head, whether it is aligned right, whether it gives way when it is tight.

    It is ``least`` cells wide at least, so that it stays where it is when its cells change.
    """

    head: str
    right: bool = False
    gives_way: bool = False
    least: int = 0


def line(*parts: str | tuple[str, str] | Text) -> Text:
    """One line of text; a part may have a style."""
    made = Text(no_wrap=True)
    for part in parts:
        match part:
            case Text():
                made.append_text(part)
            case (words, style):
                made.append(plain(words), style)
            case _:
                made.append(plain(part))
    return made


def cut(text: Text, width: int) -> Text:
    """The line, shortened with an ellipsis where it is too long."""
    short = text.copy()
    short.truncate(width, overflow="ellipsis")
    return short


def spread(left: Text, right: Text, width: int) -> Text:
    """One text at each side; the right one is left out where there is no room for both."""
    room = width - left.cell_len - right.cell_len
    if room < 2:
        return cut(left, width)
    return line(left, " " * room, right)


def joined(parts: Iterable[str | tuple[str, str]], width: int) -> Text:
    """Parts with a point between them, as many from the first on as fit."""
    made = line()
    for part in parts:
        longer = line(made, (" · ", "dim"), part) if made else line(part)
        if longer.cell_len > width:
            return made or cut(longer, width)
        made = longer
    return made


def rule(title: Text, width: int) -> Text:
    """A title with a line to the right edge."""
    begin = cut(line(("── ", "dim"), title, " "), width)
    return line(begin, ("─" * (width - begin.cell_len), "dim"))


def bar(share: float, width: int, style: str = "cyan") -> Text:
    """A bar that is ``share`` (0 to 1) full; it can be read without colours, too."""
    full = round(min(1.0, max(0.0, share)) * width)
    return line(("━" * full, style), ("─" * (width - full), "dim"))


# ── columns ─────────────────────────────────────────────────────────────────────────────────


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[tuple[str, str]]], width: int
) -> list[Text]:
    """The head and the rows; cells are words and style. Each line is ``width`` wide at most."""
    heads = [(column.head, "dim") for column in columns]
    lines = [[(plain(words), style) for words, style in row] for row in (heads, *rows)]
    natural = [
        max(column.least, *(cell_len(row[place][0]) for row in lines))
        for place, column in enumerate(columns)
    ]
    widths = _narrowed(columns, natural, width)
    return [cut(_row(columns, row, widths), width) for row in lines]


def _narrowed(columns: Sequence[Column], widths: list[int], width: int) -> list[int]:
    """The last give way first: names stand at the left."""
    over = 1 + sum(widths) + len(GAP) * (len(widths) - 1) - width
    narrowed = list(widths)
    for place in reversed(range(len(columns))):
        if columns[place].gives_way and over > 0:
            less = max(0, min(over, widths[place] - max(LEAST, columns[place].least)))
            narrowed[place] -= less
            over -= less
    return narrowed


def _row(columns: Sequence[Column], row: Sequence[tuple[str, str]], widths: Sequence[int]) -> Text:
    made = line(" ")
    for place, (column, (words, style), width) in enumerate(zip(columns, row, widths, strict=True)):
        cell = cut(line((words, style)), width)
        pad = " " * (width - cell.cell_len)
        made = line(made, GAP if place else "", *((pad, cell) if column.right else (cell, pad)))
    made.rstrip()
    return made
