"""The project's Markdown files, and what stands in them: fenced blocks, code spans, links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [
    README,
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(DOCS.rglob("*.md")),
]
_WRITTEN = (
    *(
        "commands",
        "settings",
        "recipes",
        "flags",
        "guide-check",
        "accuracy",
        "nvidia-spark",
        "tuned",
    ),
    *("compose", "images", "guide-commands", "doctor", "guide-cures"),
)
GENERATED = {DOCS / f"{name}.md" for name in _WRITTEN} | set((DOCS / "models").glob("*.md"))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, as written after the fence, and its text."""

    language: str
    text: str


def name(page: Path) -> str:
    """The page as people call it: README.md, docs/verified.md."""
    return str(page.relative_to(ROOT))


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> list[Block]:
    return [Block(found[1], found[2]) for found in _FENCE.finditer(read(page))]


def prose(page: Path) -> str:
    """The page without its fenced blocks; a code span that was wrapped is on one line."""
    text = _FENCE.sub("", read(page))
    return _SPAN.sub(lambda found: "`" + " ".join(found[1].split()) + "`", text)


def spans(page: Path) -> Iterator[str]:
    for found in _SPAN.finditer(prose(page)):
        yield found[1]


def links(page: Path) -> Iterator[str]:
    for found in _LINK.finditer(prose(page)):
        yield found[1]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    words = (re.sub(r"[^\w\- ]", "", title.lower()) for title in _HEADING.findall(prose(page)))
    return {title.strip().replace(" ", "-") for title in words}
