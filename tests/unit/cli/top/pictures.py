"""Frames of the hand-written documents as text and as pictures, for docs/top.md.

    python -m tests.unit.cli.top.pictures

writes docs/images/top*.svg and prints the text for the page. A test compares both with the code.
"""

import importlib.util
import io
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from tests.docs.documents import DOCS, ROOT
from tests.unit.cli.top import documents

from sparkwell.cli.top.frame import frame
from sparkwell.cli.top.scene import Scene

Json = dict[str, Any]


@dataclass(frozen=True)
class Picture:
    """A frame of a status, as a terminal of this size would show it."""

    path: Path
    status: Json
    events: list[Json]
    width: int
    height: int

    def drawn(self, width: int | None = None, height: int | None = None) -> Console:
        """A console that has drawn the frame."""
        width, height = width or self.width, height or self.height
        console = Console(
            record=True, file=io.StringIO(), width=width, height=height, color_system="truecolor"
        )
        console.print(frame(self._scene(), documents.NOW, width, height, live=True))
        return console

    def _scene(self) -> Scene:
        made = Scene(self.status, documents.NOW)
        for event in self.events:
            made = made.with_event(event)
        return made

    def svg(self) -> str:
        """In the colours of the other pictures."""
        tool = _picture_tool()
        svg = self.drawn().export_svg(
            title="sparkwell top", theme=tool.COLOURS, unique_id="terminal"
        )
        svg = tool.REMOTE_FONTS.sub("", svg).replace("Fira Code, monospace", tool.FONTS)
        return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


IN_A_SWITCH = Picture(DOCS / "images/top.svg", documents.status(), documents.EVENTS, 100, 34)
SERVING = Picture(
    DOCS / "images/top-serving.svg", documents.two_that_serve(), documents.CALM, 128, 30
)
PICTURES = (IN_A_SWITCH, SERVING)


def text() -> str:
    """The switch on the smallest usual screen."""
    lines = IN_A_SWITCH.drawn(80, 24).export_text().splitlines()
    return "\n".join(line.rstrip() for line in lines)


def _picture_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "tools/terminal_picture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    for picture in PICTURES:
        picture.path.write_text(picture.svg(), encoding="utf-8")
    print(text())
