"""Write docs/models/NAME.md for every recipe, and docs/nvidia-spark.md: `make docs`.

With --check nothing is written: the exit status is 1 when a page is not what it should be.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pages import host, model
from pages.figures import gather

DOCS = Path(__file__).parent.parent / "docs"
MODELS = DOCS / "models"


def pages() -> Iterator[tuple[Path, str]]:
    """Every page with its file."""
    figures = gather()
    for each in figures.models.values():
        yield MODELS / f"{each.recipe.name}.md", model.page(each)
    yield DOCS / "nvidia-spark.md", host.page(figures)


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with --check compare them; returns the exit status."""
    wanted = dict(pages())
    stale = [file for file, page in wanted.items() if not _is(file, page)]
    left_over = [file for file in sorted(MODELS.glob("*.md")) if file not in wanted]
    if "--check" not in arguments:
        MODELS.mkdir(exist_ok=True)
        for file in stale:
            file.write_text(wanted[file], encoding="utf-8")
        for file in left_over:
            file.unlink()
    for file in [*stale, *left_over]:
        print(f"docs/{file.relative_to(DOCS)}{_verdict(file in wanted, arguments)}")
    return int(bool(stale or left_over) and "--check" in arguments)


def _is(file: Path, page: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == page


def _verdict(wanted: bool, arguments: Sequence[str]) -> str:
    if "--check" not in arguments:
        return "" if wanted else " removed: there is no such recipe"
    why = "is not what the code says" if wanted else "belongs to no recipe"
    return f" {why}: run `make docs`"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
