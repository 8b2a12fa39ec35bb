"""Write docs/compose.md, docs/images.md and docs/guide-commands.md: `make docs`.

With --check nothing is written: the exit status is 1 when a page is not what it should be.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from generated import ROOT, bring_up_to_date
from pages.markdown import bullets, table
from sparkwell.catalog.guide_commands import (
    CommandPlace,
    Fated,
    command_places,
    fated_commands,
)
from sparkwell.engines.compose.corrections import corrections
from sparkwell.engines.environments import environment
from sparkwell.engines.vllm.image_rules import GUIDES_IMAGE
from sparkwell.engines.vllm.image_table import Build, Maker, makers

DOCS, HERE = ROOT / "docs", Path(__file__).parent / "compose_pages"
IMAGES = ("image", "vLLM", "CUDA", "for", "DGX Spark", "FP8, one scale", "FP8, blocks", "notes")
COMMANDS = ("where", "command", "becomes", "Sparkwell", "note")
FATES = ("runs", "rendered", "wrong")


def compose_page() -> str:
    """The corrections, each with its reason and source."""
    rows = (
        (f"`{name}`", each.what, f"{each.why} ({each.source})")
        for name, each in corrections().items()
    )
    return template("compose").format(corrections=table(("name", "what", "why"), rows))


def images_page() -> str:
    """All images of the table."""
    rows = (_image(maker, build) for maker in makers() for build in maker.builds)
    sources = bullets(source for maker in makers() for source in _sources(maker))
    return template("images").format(
        guides=f"`{GUIDES_IMAGE}`",
        version=environment("vllm").version,
        table=table(IMAGES, rows),
        sources=sources,
    )


def _image(maker: Maker, build: Build) -> tuple[str, ...]:
    return (
        _name(maker, build),
        build.vllm or ("as the tag" if build.tag is None else "?"),
        build.cuda or "?",
        ", ".join(build.architectures or maker.architectures),
        _known(build.gb10),
        _known(build.fp8_tensor),
        _known(build.fp8_block),
        build.notes,
    )


def _name(maker: Maker, build: Build) -> str:
    if build.tag:
        return f"`{maker.repository}:{build.tag}-py3`"
    since = f"from {build.since} " if build.since else ""
    before = f"before {build.before}" if build.before else "on"
    return f"`{maker.repository}`, {since}{before}"


def _known(says: bool | None) -> str:
    return "?" if says is None else "yes" if says else "**no**"


def _sources(maker: Maker) -> Iterator[str]:
    yield f"`{maker.repository}`, by {maker.maker}: {maker.source}."
    for build in maker.builds:
        if build.source:
            yield f"{_name(maker, build)}: {build.source}."


def commands_page() -> str:
    """All commands, in the order of the guides."""
    fated, places = fated_commands(), command_places()
    counts = Counter(each.becomes for each in fated.commands)
    commands = (_row(each, each.command, _where(places[each.command])) for each in fated.commands)
    settings = (_row(each, each.line, "") for each in fated.settings)
    return template("guide-commands").format(
        count=len(fated.commands),
        places=sum(map(len, places.values())),
        summary=table(FATES, [[str(counts[fate]) for fate in FATES]]),
        commands=table(COMMANDS, commands),
        settings=table(COMMANDS[1:], (row[1:] for row in settings)),
    )


def _row(fated: Fated, text: str, where: str) -> tuple[str, ...]:
    instead = f"`{fated.instead}` works." if fated.instead else ""
    return (
        where,
        f"`{text}`",
        fated.becomes if fated.becomes == "runs" else f"**{fated.becomes}**",
        f"`{fated.sparkwell}`" if fated.sparkwell else "",
        " ".join(part for part in (fated.note, instead) if part),
    )


def _where(places: tuple[CommandPlace, ...]) -> str:
    """Lines by document: "qwen3-32b 107, 208"."""
    documents = dict.fromkeys(place.document for place in places)
    return "; ".join(
        f"{document.removesuffix('.md')} "
        + ", ".join(str(place.line) for place in places if place.document == document)
        for document in documents
    )


def template(name: str) -> str:
    """The text around the tables."""
    return (HERE / f"{name}.md").read_text(encoding="utf-8")


PAGES = {
    "compose.md": compose_page,
    "images.md": images_page,
    "guide-commands.md": commands_page,
}


if __name__ == "__main__":
    sys.exit(bring_up_to_date({DOCS / name: make() for name, make in PAGES.items()}, sys.argv[1:]))
