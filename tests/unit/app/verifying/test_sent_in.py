"""Reports that owners of the hardware have sent in, and the planner of today."""

import json
from pathlib import Path
from typing import Any

import pytest

from sparkwell.app.verifying.again import figures_again
from sparkwell.app.verifying.files import read
from sparkwell.catalog import load_catalog

FOLDER = Path(__file__).parents[3] / "fixtures" / "verified"
REPORTS = sorted(FOLDER.glob("*.json"))


def test_there_are_some() -> None:
    assert REPORTS


@pytest.mark.parametrize("file", REPORTS, ids=lambda file: file.stem)
def test_the_planner_still_agrees_with_what_was_measured(file: Path) -> None:
    """One that fails here is no fault of the report: it says where the planner is wrong."""
    rows = figures_again(read(file), load_catalog())
    wrong = [
        f"{row.name}: planned {row.planned}, measured {row.measured} {row.unit}"
        for row in rows
        if row.verdict == "does not hold"
    ]
    assert wrong == []
    assert "holds" in {row.verdict for row in rows}, "it confirms nothing"


@pytest.mark.parametrize("file", REPORTS, ids=lambda file: file.stem)
def test_a_planner_that_is_wrong_would_be_found_out(file: Path) -> None:
    """The same report with twice the memory measured is refuted."""
    report: dict[str, Any] = json.loads(file.read_text())
    start = report["measured"]["start"]
    for name in ("kv_cache_tokens", "weights_bytes", "held_bytes"):
        start[name] = None if start[name] is None else 2 * start[name]
    verdicts = {row.key: row.verdict for row in figures_again(report, load_catalog())}
    assert verdicts["kv_cache_tokens"] == "does not hold"


@pytest.mark.parametrize("file", REPORTS, ids=lambda file: file.stem)
def test_it_says_in_which_table_it_stands(file: Path) -> None:
    assert f"| {file.name} |" in (FOLDER / "README.md").read_text()
