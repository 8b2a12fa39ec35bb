"""docs/security.md has the figures of the newest results."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_says_what_the_results_say() -> None:
    page = runpy.run_path(str(ROOT / "benchmarks/security/page.py"))
    text = (ROOT / "docs/security.md").read_text("utf-8")
    assert page["replaced"](text) == text, "run `python benchmarks/security/page.py`"
