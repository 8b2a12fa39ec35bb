"""What a start shows on a pipe and on a terminal."""

from typing import Any

import pytest

from sparkwell.cli.progress import _Lines, _note
from sparkwell.core.phases import BEFORE_LAUNCH


def status(phase: str, **more: Any) -> dict[str, Any]:
    usual = {"model": "m", "phase_title": phase, "fraction": None, "left_s": None, "elapsed_s": 1}
    return {**usual, "phase": phase, **more}


def shown(capsys: pytest.CaptureFixture[str], *states: dict[str, Any]) -> list[str]:
    lines = _Lines()
    for state in states:
        lines.show(state)
    return [line.strip() for line in capsys.readouterr().err.splitlines()]


def test_one_line_a_phase(capsys: pytest.CaptureFixture[str]) -> None:
    states = [status("launch"), status("launch"), status("weights", fraction=0.7)]
    assert shown(capsys, *states) == ["1 s  m: launch", "1 s  m: weights"]


def test_a_line_for_each_tenth_of_what_is_fetched(capsys: pytest.CaptureFixture[str]) -> None:
    shares = [None, 0.05, 0.12, 0.19, 0.5]
    states = [status("download", fraction=share, left_s=30) for share in shares]
    assert shown(capsys, *states) == [
        "1 s  m: download",
        "1 s  m: download, 10 %, about 30 s left until ready",
        "1 s  m: download, 50 %, about 30 s left until ready",
    ]


@pytest.mark.parametrize(
    ("phase", "left_s", "note"),
    [
        ("weights", 5, "about 5 s left"),
        ("weights", None, "longer than expected"),
        ("pull", None, ""),
        ("queue", None, ""),
        *((phase.value, None, "") for phase in BEFORE_LAUNCH),
    ],
)
def test_the_note_of_the_bar(phase: str, left_s: float | None, note: str) -> None:
    assert _note(status(phase, left_s=left_s)) == note
