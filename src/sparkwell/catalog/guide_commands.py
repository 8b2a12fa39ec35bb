"""What becomes of each shell command of the hand-written guides: ``guide_commands.yaml``."""

from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from sparkwell.catalog.guide_claims import load_guides
from sparkwell.catalog.recipe import Part, Sentence
from sparkwell.core.documents import parse_document

FILE = Path(__file__).parent / "guide_commands.yaml"
Fate = Literal["runs", "rendered", "wrong"]


class Fated(Part):
    """What becomes of something that a guide tells to type; the file says what each field is."""

    becomes: Fate
    sparkwell: Sentence | None = None
    instead: Sentence | None = None
    note: Sentence | None = None


class FatedCommand(Fated):
    """A command, by its first line."""

    command: Sentence


class FatedLine(Fated):
    """A line of a shell block that is no command."""

    line: Sentence


class FatedCommands(Part):
    """The whole file."""

    commands: tuple[FatedCommand, ...]
    settings: tuple[FatedLine, ...]


class CommandPlace(NamedTuple):
    """Where a guide has a command: its document, and the line counted from 1."""

    document: str
    line: int


@cache
def fated_commands() -> FatedCommands:
    """All commands, in the order of the guides; read once."""
    return parse_document(FILE.read_text(encoding="utf-8"), FatedCommands, str(FILE))


@cache
def command_places() -> dict[str, tuple[CommandPlace, ...]]:
    """Every command that the guides have, with all places that have it."""
    found: dict[str, tuple[CommandPlace, ...]] = {}
    for guide in load_guides():
        for each in guide.commands:
            place = CommandPlace(guide.document, each.line)
            found[each.command] = (*found.get(each.command, ()), place)
    return found
