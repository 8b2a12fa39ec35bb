"""Turn the recording of a terminal session into a picture: docs/images/*.svg.

Record a session, in a terminal 92 columns wide, and draw its last screen:

    script -q -c 'stty cols 92; sparkwell demo' demo.rec
    python tools/terminal_picture.py demo.rec docs/images/demo.svg --command 'sparkwell demo'

With --until TEXT the picture shows the screen as it was when TEXT had last been drawn: a
progress bar is gone from the last screen. Nothing is drawn that was not in the recording, but
for the line with --command, and ~ for the folder with --home.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

COLUMNS = 92
TOKEN = re.compile(
    r"\x1b\[(?P<numbers>[0-9;?]*)(?P<final>[A-Za-z])|\x1b\][^\x07]*\x07|\x1b.|(?P<char>.)",
    re.DOTALL,
)
SCRIPT_NOTE = re.compile(r"\AScript started on [^\n]*\n|\s*Script done on [^\n]*\n*\Z")
# Rich's own picture fetches a font from the network: this one takes the reader's.
REMOTE_FONTS = re.compile(r"@font-face \{.*?\n    \}\n", re.DOTALL)
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
COLOURS = TerminalTheme(
    (24, 27, 33),
    (214, 218, 224),
    [(24, 27, 33), (224, 108, 117), (126, 190, 110), (209, 170, 90),
     (97, 160, 235), (190, 130, 220), (86, 182, 194), (214, 218, 224)],
    [(110, 116, 128), (240, 130, 138), (150, 210, 135), (229, 192, 123),
     (130, 185, 245), (210, 155, 238), (110, 205, 215), (250, 250, 250)],
)  # fmt: skip

Cell = tuple[str, str]
"""A character and the style sequence that was in force when it was written."""


class Screen:
    """As much of a terminal as progress bars need: lines, a cursor, erasing, styles."""

    def __init__(self) -> None:
        self.lines: list[list[Cell]] = [[]]
        self._row = self._column = 0
        self._style = ""

    def feed(self, text: str) -> None:
        """Write what a program has printed."""
        for token in TOKEN.finditer(text):
            if token["char"]:
                self._character(token["char"])
            elif token["final"]:
                self._control(token["final"], token["numbers"])

    def ansi(self) -> str:
        """The screen as text with style sequences, empty lines at the end left out."""
        rows = ["".join(f"\x1b[0m{style}{char}" for char, style in row) for row in self.lines]
        while rows and not rows[-1].strip():
            rows.pop()
        return "\n".join(rows)

    def _character(self, char: str) -> None:
        if char == "\r":
            self._column = 0
        elif char == "\n":
            self._row += 1
            if self._row == len(self.lines):
                self.lines.append([])
        elif char >= " ":
            self._put(char)

    def _put(self, char: str) -> None:
        if self._column == COLUMNS:
            self._character("\r")
            self._character("\n")
        row = self.lines[self._row]
        row.extend([(" ", "")] * (self._column + 1 - len(row)))
        row[self._column] = (char, self._style)
        self._column += 1

    def _control(self, final: str, numbers: str) -> None:
        count = int(numbers) if numbers.isdigit() else 0
        if final == "m":
            self._style = "" if numbers in ("", "0") else f"{self._style}\x1b[{numbers}m"
        elif final == "K":
            self._erase(count)
        elif final == "A":
            self._row = max(0, self._row - max(1, count))

    def _erase(self, how: int) -> None:
        """0 erases from the cursor to the end of the line, 1 from its beginning, 2 all of it."""
        row = self.lines[self._row]
        if how in (1, 2):
            row[: self._column] = [(" ", "")] * min(self._column, len(row))
        if how in (0, 2):
            del row[self._column :]


def recorded(text: str, until: str | None) -> str:
    """What the terminal got, `script`'s own lines left out, up to the last ``until``."""
    text = SCRIPT_NOTE.sub("", text)
    if until is None:
        return text
    begin = text.rindex(until)
    following = re.compile(r"\r|\n").search(text, begin)
    return text[: following.start()] if following else text


def picture(screen: str, title: str) -> str:
    """The screen as SVG, the same for the same screen."""
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, file=nowhere, width=COLUMNS, color_system="truecolor")
        for line in _lines(screen):
            console.print(line, soft_wrap=False)
    svg = console.export_svg(title=title, theme=COLOURS, unique_id="terminal")
    svg = REMOTE_FONTS.sub("", svg).replace("Fira Code, monospace", FONTS)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def _lines(screen: str) -> Iterator[Text]:
    for line in screen.split("\n"):
        yield Text.from_ansi(line, no_wrap=False)


def main() -> None:
    """Read the recording and write the picture."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("recording", type=Path)
    options.add_argument("picture", type=Path)
    options.add_argument("--command", help="what was typed, drawn as the first line")
    options.add_argument("--until", metavar="TEXT", help="draw the screen with this text on it")
    options.add_argument("--home", metavar="FOLDER", help="written as ~")
    options.add_argument("--title", default="sparkwell")
    given = options.parse_args()
    screen = Screen()
    if given.command:
        screen.feed(f"\x1b[2m$\x1b[0m {given.command}\r\n")
    text = recorded(given.recording.read_bytes().decode(), given.until)
    screen.feed(text.replace(given.home, "~") if given.home else text)
    given.picture.write_text(picture(screen.ansi(), given.title), encoding="utf-8")


if __name__ == "__main__":
    main()
