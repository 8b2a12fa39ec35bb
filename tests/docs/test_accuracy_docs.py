"""docs/accuracy.md is what the measured starts and the planner say now."""

import re
import subprocess
import sys

from sparkwell.planner.starts import load_starts
from tests.docs.documents import DOCS, ROOT, read

PAGE = DOCS / "accuracy.md"


def test_the_page_is_fresh() -> None:
    program = [sys.executable, str(ROOT / "tools" / "accuracy_docs.py"), "--check"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_start_is_on_the_page_twice() -> None:
    """With its errors, and beside the formulas of other tools."""
    page = read(PAGE)
    tokens = [f"{start.kv_tokens:,}" for start in load_starts()]
    for each in set(tokens):
        assert page.count(f"| {each} |") == 2 * tokens.count(each)


def test_the_published_errors_are_small() -> None:
    first = read(PAGE).split("## ")[0]
    found = re.findall(
        r"^\| (.+?) \| \d+ \| ([\d.]+) % \| ([+-]?[\d.]+) % \|$", first, re.MULTILINE
    )
    errors = {name: (float(middle), abs(float(largest))) for name, middle, largest in found}
    assert errors["KV tokens, fitted on all"][0] < 0.1
    assert errors["KV tokens, fitted on all"][1] < 0.5
    assert errors["KV tokens, leave one model out"][0] < 0.1
    assert errors["the same without sleep mode"][1] < 2
    assert errors["KV tokens, calibrated by a start of the same kind"][1] < 0.2
    assert errors["weights"][1] < 0.5


def test_what_rests_on_two_starts_says_so() -> None:
    assert "fitted, n = 2" in read(PAGE)
