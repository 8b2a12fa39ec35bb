"""One log in many forms: however it comes to us, it says the same."""

from pathlib import Path

import pytest

from sparkwell.checks.diagnosis.judge import judge
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.snapshot import Snapshot
from sparkwell.doctor.log_files import read_log

ODD = Path(__file__).parents[2] / "data" / "doctor" / "odd"
FORMS = sorted(path for path in ODD.iterdir() if path.suffix in {".log", ".gz"})
SAME_LINES = [
    form
    for form in FORMS
    if form.stem.split(".")[0] not in {"bars", "noise-within", "long-line-within", "latin-1"}
]


def errors(path: Path) -> set[str]:
    """The errors that are found in a log."""
    snapshot = Snapshot(0.0, "test", logs=(read_log(path),))
    return {each.id for each in judge(snapshot) if each.severity == "error"}


def said(log: LogDigest) -> list[tuple[str | None, int | None, str | None, str]]:
    """Who says what, without when."""
    return [(line.process, line.pid, line.level, line.words) for line in log.lines if line.text]


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.name)
def test_the_same_error_is_found_in_each_form(form: Path) -> None:
    assert errors(form) == {"kv-cache-none"}
    log = read_log(form)
    assert (log.engine, log.version) == ("vllm", "0.11.0")
    assert not any("not-for-you" in line.text for line in log.lines)


@pytest.mark.parametrize("form", SAME_LINES, ids=lambda path: path.name)
def test_what_others_put_around_the_lines_is_taken_off(form: Path) -> None:
    plain = said(read_log(ODD / "plain.log"))
    assert ("EngineCore_DP0", 71, "error", "EngineCore failed to start.") in plain
    assert said(read_log(form)) == plain


def test_a_progress_bar_is_its_last_state() -> None:
    words = [line.text for line in read_log(ODD / "bars.log").lines]
    assert [text for text in words if "shards" in text] == [
        "Loading safetensors checkpoint shards: 100% Completed | 4/4"
    ]


def test_a_wrapped_line_has_the_number_of_its_first_part() -> None:
    log = read_log(ODD / "wrapped.log")
    assert [line.number for line in log.lines] == [*range(1, 10), 11]
    assert "memory for the cache blocks. Try" in log.lines[8].text
    assert log.total_lines == 11
