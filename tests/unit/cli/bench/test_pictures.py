"""The picture and the page of a run."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.unit.bench.test_report import whole
from tests.unit.core.test_whole_files import room_for

from sparkwell.cli.bench.files import Files
from sparkwell.cli.bench.page import page
from sparkwell.cli.bench.plot import draw, first_tokens
from sparkwell.core.errors import EnvironmentFault, UsageError


def nothing_known() -> dict[str, Any]:
    found = whole()
    for case in found["cases"]:
        case |= {"planned": None, "guide": None, "measured": {}, "repeats": []}
    return dict(found)


def test_a_picture_has_measured_planned_guide_and_limit(tmp_path: Path) -> None:
    draw(whole(), tmp_path / "run.svg")
    words = (tmp_path / "run.svg").read_text()
    for each in ("measured, 95 %", "planned", "roofline", "the guide, of a DGX Spark", "TTFT p99"):
        assert each in words


@pytest.mark.parametrize("document", [whole(), nothing_known()])
def test_a_png_is_one(tmp_path: Path, document: dict[str, Any]) -> None:
    draw(document, tmp_path / "run.png")
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        draw(whole(), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_first_tokens_of_all_repeats() -> None:
    [case, _] = json.loads(json.dumps(whole()))["cases"]
    assert first_tokens(case) == [0.2, 0.4]


def test_the_page_needs_nothing_else() -> None:
    html = page(whole())
    assert not re.search(r'(?:src|href)="(?!#)', html)
    assert "<svg" in html
    found = re.search(r'<script type="application/json" id="run">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    assert json.loads(found[1])["run"] == "r"
    assert "sparkwell bench" in html


def test_words_of_a_run_stay_words() -> None:
    evil = "</script><script>alert(1)</script>"
    html = page({**whole(), "model": evil, "command": evil, "broken": evil})
    assert evil not in html
    assert html.count("<script") == 1


def test_files_are_looked_at_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="PNG or SVG"):
        Files(plot_file=tmp_path / "run.pdf").check()
    for files in (
        Files(csv_file=tmp_path / "no" / "a.csv"),
        Files(html_file=tmp_path / "no" / "a"),
    ):
        with pytest.raises(EnvironmentFault, match="no folder"):
            files.check()


def test_all_that_are_asked_for_are_written(tmp_path: Path) -> None:
    files = Files(tmp_path / "a.csv", tmp_path / "a.html", tmp_path / "a.svg")
    files.check()
    files.write(whole())
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.csv", "a.html", "a.svg"]


@pytest.mark.parametrize("option", ["csv", "html", "plot"])
def test_a_file_without_room_is_named_and_leaves_nothing(tmp_path: Path, option: str) -> None:
    file = tmp_path / ("x.svg" if option == "plot" else f"x.{option}")
    with room_for(100), pytest.raises(EnvironmentFault) as caught:
        Files(**{f"{option}_file": file}).write(whole())
    assert caught.value.message.startswith(f"--{option}: '{file}' could not be written: ")
    assert list(tmp_path.iterdir()) == []
