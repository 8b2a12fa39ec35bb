"""The findings in `sparkwell top`: what is amiss, and with room why, and what to type."""

import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from rich.text import Text

from sparkwell.cli.top.finding_words import (
    first_advice,
    first_command,
    severity,
    tally,
    title,
    to_show,
    troubles,
)
from sparkwell.cli.top.lines import cut, joined, line, rule
from sparkwell.cli.top.sections import Section
from sparkwell.cli.top.words import plain

Json = Mapping[str, Any]
MARKS = {"error": ("✗", "bold red"), "warning": ("!", "yellow"), "info": ("-", "dim")}
LINES = 2
"""Lines at most that a title, a cause or a command gets."""
NARROWEST = 20
"""Cells that words are wrapped to at least; on a narrower screen they are cut."""
GLUED = "--set\N{NO-BREAK SPACE}"
"""An option that is not torn from its value; drawn with a usual space."""


def findings(
    found: Iterable[Json] | None, width: int, *, air: bool, said: Collection[object] = ()
) -> Section | None:
    """The findings; None without any. With ``air`` also what is only good to know, and why.

    A cause that is among what is ``said`` elsewhere on the screen is not said again.
    """
    shown = to_show(found) if air else troubles(found)
    if not shown:
        return None
    made = [each for one in shown for each in _finding(one, width, air=air, said=said)]
    told = joined(counts(shown), width)
    head = line(("Findings", "bold"), "  ", told)
    lines = tuple(cut(each, width) for each in made)
    return Section(rule(head, width), lines, least=3, rank=3)


def counts(found: Iterable[Json]) -> list[tuple[str, str]]:
    """How many findings of each severity there are, in their colours."""
    return [(words, MARKS[word][1]) for word, words in tally(found)]


def _finding(finding: Json, width: int, *, air: bool, said: Collection[object]) -> Iterator[Text]:
    """Its title; of what is amiss, with ``air``, also why it is so and what to do."""
    (mark, style), amiss = MARKS[severity(finding)], severity(finding) != "info"
    yield from _wrapped((f" {mark} ", style), title(finding), style if amiss else "", width)
    if not (air and amiss):
        return
    if (cause := finding.get("cause")) and cause not in said:
        yield from _wrapped(("   ", ""), plain(cause), "dim", width)
    what_to_do = first_command(finding) or first_advice(finding) or ""
    yield from _wrapped(("   ▸ ", "cyan"), what_to_do.replace("--set ", GLUED), "", width)


def _wrapped(begin: tuple[str, str], words: str, style: str, width: int) -> Iterator[Text]:
    """Words behind a mark, in few lines; those after the first are indented as far."""
    indent = len(begin[0])
    room = max(NARROWEST, width - indent - 1)
    rows = textwrap.wrap(words, room, max_lines=LINES, placeholder=" …", break_on_hyphens=False)
    for number, row in enumerate(rows):
        yield line((" " * indent, "") if number else begin, (row, style))
