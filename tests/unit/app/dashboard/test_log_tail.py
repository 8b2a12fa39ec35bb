"""The end of a long log."""

from pathlib import Path

import pytest

from sparkwell.app.dashboard import log_tail
from sparkwell.app.dashboard.log_tail import read_since, read_tail
from sparkwell.monitor.log_lines import ErrorLines, matching


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(log_tail, "FIRST_WINDOW", 64)
    monkeypatch.setattr(log_tail, "LARGEST_WINDOW", 64 * 64)
    return tmp_path / "engine.log"


def numbered(first: int, last: int) -> str:
    return "".join(f"line {number}\n" for number in range(first, last + 1))


def test_there_is_none(log: Path) -> None:
    assert read_tail(log, 5, tuple) == log_tail.Tail((), False, 0)


@pytest.mark.parametrize("count", [0, 1, 7, 99, 100, 1000])
def test_the_last_lines_over_rotated_files(log: Path, count: int) -> None:
    log.with_name("engine.log.2").write_text(numbered(1, 40))
    log.with_name("engine.log.1").write_text(numbered(41, 90))
    log.write_text(numbered(91, 100))
    tail = read_tail(log, count, tuple)
    wanted = [f"line {number}" for number in range(101 - min(count, 100), 101)]
    assert list(tail.lines) == wanted
    assert tail.more == (count < 100)
    assert tail.total_bytes == len(numbered(1, 100))


def test_a_rare_line_is_searched_far_back(log: Path) -> None:
    log.write_text("needle\n" + numbered(1, 200))
    tail = read_tail(log, 3, lambda: [matching("needle")])
    assert (tail.lines, tail.more, tail.searched_bytes) == (("needle",), False, None)


def test_the_search_ends_somewhere(log: Path) -> None:
    log.write_text("needle\n" + numbered(1, 1000))
    tail = read_tail(log, 3, lambda: [matching("needle")])
    assert (tail.lines, tail.more, tail.searched_bytes) == ((), True, 64 * 64)
    assert read_tail(log, 3, tuple).searched_bytes is None


def test_a_line_is_never_shown_in_part(log: Path) -> None:
    log.write_text("x" * 60 + "ERROR: not the beginning\n" + numbered(1, 6))
    tail = read_tail(log, 6, tuple)
    assert tail.lines[0] == "line 1"


def test_a_traceback_that_begins_before_the_window_is_found_whole(log: Path) -> None:
    log.write_text(
        "Traceback (most recent call last):\n" + '  File "a.py"\n' * 20 + "ValueError: x\n"
    )
    tail = read_tail(log, 22, lambda: [ErrorLines()])
    assert len(tail.lines) == 22


def test_what_is_no_text_and_bars_that_move_by_returns(log: Path) -> None:
    log.write_bytes(b"10%\r20%\r\n\xff\nlast, without an end")
    assert read_tail(log, 9, tuple).lines == ("10%", "20%", "�", "last, without an end")


def test_since_a_position_only_finished_lines(log: Path) -> None:
    log.write_text("one\ntwo\nthr")
    since = read_since(log, 4)
    assert since == log_tail.Since(("two",), 8)
    assert read_since(log, since.position) == log_tail.Since((), 8)
    log.write_text("one\ntwo\nthree\n")
    assert read_since(log, since.position) == log_tail.Since(("three",), 14)


def test_since_a_position_in_an_elder(log: Path) -> None:
    log.with_name("engine.log.1").write_text("one\ntwo\n")
    log.write_text("three\n")
    assert read_since(log, 4) == log_tail.Since(("two", "three"), 14)


def test_more_than_can_be_read_at_once(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "MOST_AT_ONCE", 12)
    log.write_text("first\nsecond\nthird\n")
    assert read_since(log, 0) == log_tail.Since(("third",), 19, gap=True)
    assert read_since(log, 99) == log_tail.Since((), 19, gap=True)
