"""Write docs/benchmarks.md, docs/benchmarks/models.md and their pictures from the kept runs.

`make docs`. With --check nothing is written, and pictures are not looked at: the exit status is 1
when a page is not what it should be. Prose stands in tools/speed_pages/page.md.
"""

import sys
from pathlib import Path

from generated import ROOT, bring_up_to_date
from speed_pages import pictures, search_tables, tables, tuned_tables
from speed_pages.runs import overlays, runs

DOCS = ROOT / "docs"
TEMPLATE = Path(__file__).parent / "speed_pages" / "page.md"
NOTE = (
    "<!-- Written by tools/benchmark_docs.py from runs and tools/speed_pages/page.md: change "
    "those, then run `make docs`. -->"
)
ABOUT = """Every run of `sparkwell bench` that is kept, whole. [benchmarks.md](../benchmarks.md)
says what they mean; `sparkwell bench show FILE` prints one, and `sparkwell bench compare FILE FILE`
compares two."""


def front() -> str:
    """docs/benchmarks.md."""
    text = TEMPLATE.read_text(encoding="utf-8")
    parts = {
        "note": NOTE,
        "overview": tables.overview(runs()),
        "long_contexts": tables.long_contexts(runs()),
        "first_tokens": tables.first_tokens(runs()),
        "gains": tuned_tables.gains(overlays()),
        "flags": tuned_tables.flags(overlays()),
        "search_command": search_tables.command(),
        "search_trials": search_tables.trials(),
        "search_check": search_tables.check(),
    }
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    return text


def whole() -> str:
    """docs/benchmarks/models.md."""
    found = [
        f"{tables.whole(run)}\n![{run.name}, suite {run.suite}]({pictures.picture_of(run).name})\n"
        for run in runs()
    ]
    return "\n".join(["# Benchmarks of models: every run", "", NOTE, "", ABOUT, "", *found])


if __name__ == "__main__":
    if "--check" not in sys.argv:
        pictures.draw(runs(), overlays())
    pages = {DOCS / "benchmarks.md": front(), DOCS / "benchmarks" / "models.md": whole()}
    sys.exit(bring_up_to_date(pages, sys.argv[1:]))
