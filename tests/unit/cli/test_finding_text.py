"""Findings as text: their order, their width, and that a terminal obeys none of it."""

import click
import pytest

from sparkwell.cli.finding_text import finding_lines, plain, tally, text_width
from sparkwell.core.findings import Finding, Remedy, Severity

FULL = Finding(
    "disk-full",
    Severity.ERROR,
    "The disk is full",
    ("a.log, line 7: OSError: [Errno 28] No space left on device",),
    "Weights and images lie on one disk.",
    (Remedy("See what takes the space.", "du -xsh /opt/*"), Remedy("Free some.", fix="free-some")),
    about="qwen3-8b-fp8",
)


def shown(finding: Finding, width: int = 80, **how: object) -> list[str]:
    lines = finding_lines(finding, width=width, **how)  # type: ignore[arg-type]
    return [click.unstyle(line) for line in lines]


def test_a_finding_from_title_to_remedy() -> None:
    assert shown(FULL) == [
        "✗ The disk is full",
        "    · a.log, line 7: OSError: [Errno 28] No space left on device",
        "    Weights and images lie on one disk.",
        "    → See what takes the space.",
        "        du -xsh /opt/*",
        "    → Free some. (--fix does it)",
    ]


def test_whose_it_is_and_its_id_where_they_are_wanted() -> None:
    assert (
        shown(FULL, named=True, with_id=True)[0] == "✗ qwen3-8b-fp8: The disk is full (disk-full)"
    )
    told = Finding("a", Severity.INFO, "m is ready", about="m")
    assert shown(told, named=True)[0] == "- m is ready"


def test_what_is_well_has_one_line() -> None:
    fine = Finding("port-in-use", Severity.OK, "Port 8000 is free", ("seen", "tried"), "no cause")
    assert shown(fine) == ["✓ Port 8000 is free (seen; tried)"]


def test_who_mends_it_is_said() -> None:
    assert shown(FULL, fixed_by="sparkwell doctor --fix")[-1].endswith("doctor --fix does it)")


@pytest.mark.parametrize("width", [40, 60, 100])
def test_text_keeps_to_its_width_and_commands_stay_whole(width: int) -> None:
    command = "sparkwell up MODEL " + "--set max_num_batched_tokens=2048 " * 5
    wordy = Finding(
        "a", Severity.WARNING, "word " * 40, ("word " * 60,), "word " * 30,
        (Remedy("word " * 30, command),),
    )  # fmt: skip
    lines = shown(wordy, width)
    assert f"        {command}" in lines
    assert max(len(line) for line in lines if "sparkwell" not in line) <= width


def test_a_word_that_is_too_long_is_not_broken() -> None:
    path = "/opt/hf/" + "x" * 90
    assert any(path in line for line in shown(Finding("a", Severity.ERROR, "t", (path,)), 40))


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("\x1b[\x1b[0m2J", "␛[2J"),
        ("a\x9b2Jb", "a\ufffd2Jb"),
        ("over\rwritten", "over␍written"),
    ],
)
def test_nothing_that_a_log_says_is_obeyed(said: str, seen: str) -> None:
    assert plain(said) == seen
    evil = Finding(said, Severity.ERROR, said, (said,), said, (Remedy(said, said),), said)
    for line in shown(evil, named=True, with_id=True):
        assert not set(line) & {"\x1b", "\x07", "\x9b", "\r"}


def test_errors_warnings_and_notes_are_counted() -> None:
    severities = (Severity.ERROR, Severity.OK, Severity.WARNING, Severity.WARNING, Severity.INFO)
    assert tally(Finding("a", each, "t") for each in severities) == (1, 2, 1)


@pytest.mark.parametrize(("columns", "width"), [("20", 40), ("80", 80), ("400", 110)])
def test_the_width_is_the_terminals_within_reason(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert text_width() == width
