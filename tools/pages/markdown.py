"""Markdown, and figures as the pages write them: memory in GiB, files in GB, counts with commas."""

import textwrap
from collections.abc import Iterable, Sequence

from sparkwell.core.units import GIB, duration

WIDTH = 100
NONE = "\N{EN DASH}"
UNKNOWN = "unknown"


def section(title: str, *parts: str, level: int = 2) -> str:
    """A heading with what is below it; parts that are empty are left out."""
    return "\n\n".join([f"{'#' * level} {title}", *(part for part in parts if part)])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; empty where there are no rows. Raises ValueError for a row of another width."""
    body = [list(row) for row in rows]
    for row in body:
        if len(row) != len(head):
            raise ValueError(f"{len(row)} cells below {len(head)}: {row}")
    lines = [list(head), ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines) if body else ""


def cell(text: str) -> str:
    """A cell's text with what would end the cell made harmless."""
    return " ".join(text.replace("|", "\\|").split())


def bullets(lines: Iterable[str]) -> str:
    """A list, wrapped."""
    return "\n".join(_wrapped(line, "- ", "  ") for line in lines)


def text(*sentences: str) -> str:
    """A paragraph, wrapped."""
    return _wrapped(" ".join(sentence for sentence in sentences if sentence), "", "")


def _wrapped(whole: str, first: str, later: str) -> str:
    return textwrap.fill(
        whole,
        WIDTH,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )


def code(language: str, body: str) -> str:
    """A fenced block."""
    return f"```{language}\n{body.strip()}\n```"


def gib(count: float | None) -> str:
    """Bytes of memory: "66.25 GiB"."""
    return UNKNOWN if count is None else f"{count / GIB:.2f} GiB"


def number(count: float | None) -> str:
    """A count: "271,360"."""
    return UNKNOWN if count is None else f"{count:,.0f}"


def rate(per_second: float | None) -> str:
    """Tokens a second, with as many digits as mean something: "6.3", "41", "612"."""
    if per_second is None:
        return UNKNOWN
    return f"{per_second:,.1f}" if per_second < 20 else f"{per_second:,.0f}"


def seconds(value: float | None) -> str:
    """A time as people say it: "0.37 s", "4 min 10 s"."""
    if value is None:
        return UNKNOWN
    if value < 10:
        return f"{value:.2f} s" if value < 2 else f"{value:.1f} s"
    return duration(value)


def value(given: object) -> str:
    """A flag's value: on, off, or itself."""
    if isinstance(given, bool):
        return "on" if given else "off"
    if isinstance(given, int):
        return f"{given:,}"
    return f"{given:.2f}" if isinstance(given, float) else f"`{given}`"
