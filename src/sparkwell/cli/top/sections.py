"""Parts of a screen, and how many of its lines each gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.text import Text

from sparkwell.cli.top.lines import line

ENOUGH = 10
"""Lines of what never ends that are worth more than air between the sections."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the screen: a line with its title, and its lines.

    ``least`` lines are kept when the screen is low; ``rank`` says who is given more first (0
    before 1). Of lines that do not fit, the first or the last are shown.
    """

    title: Text | None
    lines: tuple[Text, ...]
    least: int
    rank: int
    keep: Literal["first", "last"] = "first"

    @property
    def height(self) -> int:
        """Lines that it would like to have, with its title."""
        return len(self.lines) + (self.title is not None)


def wanted(sections: Sequence[Section]) -> int:
    """Lines that they would like to have, of what never ends as many as are enough."""
    return sum(ENOUGH if each.keep == "last" else each.height for each in sections)


def least(sections: Sequence[Section]) -> int:
    """Lines that they have to have."""
    return sum(min(each.height, each.least) for each in sections)


def fitted(sections: Sequence[Section], height: int) -> list[Text]:
    """As many lines of each section as fit, in their order; with air between them if there is."""
    airy = height - wanted(sections) >= len(sections) - 1
    shares = _shares(sections, height - (len(sections) - 1 if airy else 0))
    lines: list[Text] = []
    for section, share in zip(sections, shares, strict=True):
        lines += [line()] if airy and lines and share else []
        lines += _shortened(section, share)
    return lines[:height]


def _shares(sections: Sequence[Section], height: int) -> list[int]:
    """Lines for each: what each has to have at least, then by rank what is left."""
    shares = [min(each.height, each.least) for each in sections]
    left = height - least(sections)
    for place in sorted(range(len(sections)), key=lambda place: sections[place].rank):
        more = max(0, min(left, sections[place].height - shares[place]))
        shares[place] += more
        left -= more
    return shares


def _shortened(section: Section, share: int) -> list[Text]:
    title = [section.title] if section.title is not None else []
    room = share - len(title)
    if room < 0 or len(section.lines) <= room:
        return [*title, *section.lines][:share]
    if section.keep == "last":
        return [*title, *section.lines[len(section.lines) - room :]]
    shown = max(0, room - 1)
    more = line((f" … {len(section.lines) - shown} more lines", "dim"))
    return [*title, *section.lines[:shown], *([more] if room else [])]
