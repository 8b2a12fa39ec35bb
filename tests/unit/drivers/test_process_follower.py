from pathlib import Path

import pytest

from sparkwell.drivers.process.follower import LONGEST_LINE, LineSplitter, LogReader
from sparkwell.drivers.process.shim.logfile import RotatingLog


def split(*pieces: bytes) -> list[str]:
    splitter = LineSplitter()
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    return lines + splitter.close()


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a\n\nb\n", ["a", "", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"\r 10%\r 20%\r100%\ndone", [" 10%", " 20%", "100%", "done"]),
        (b"caf\xc3\xa9\n\xff\n", ["café", "\ufffd"]),
        (b"form\x0cfeed\x1c\n", ["form\x0cfeed\x1c"]),  # no line ends to a log
    ],
)
def test_lines_are_the_same_however_the_bytes_arrive(data: bytes, lines: list[str]) -> None:
    assert split(data) == lines
    assert split(*(data[place : place + 1] for place in range(len(data)))) == lines


def test_an_endless_line_comes_in_pieces() -> None:
    lines = split(b"x" * (LONGEST_LINE + 1), b"y\n")
    assert [len(line) for line in lines] == [LONGEST_LINE + 1, 1]


def read_all(reader: LogReader) -> bytes:
    return b"".join(iter(reader.read, b""))


def test_a_reader_follows_through_rotation(tmp_path: Path) -> None:
    log = RotatingLog(str(tmp_path), limit=100, keep=5)
    reader = LogReader(tmp_path / "engine.log", from_start=True)
    seen = b""
    for number in range(100):
        log.write(b"%029d\n" % number)
        if number % 7 == 0:
            seen += read_all(reader)
    seen += read_all(reader)
    log.close()
    reader.close()
    assert [int(line) for line in seen.split()] == list(range(100))


def test_a_reader_that_is_too_slow_says_so_once(tmp_path: Path) -> None:
    log = RotatingLog(str(tmp_path), limit=100, keep=1)
    log.write(b"first\n")
    reader = LogReader(tmp_path / "engine.log", from_start=True)
    for number in range(20):
        log.write(b"%099d\n" % number)
    log.close()
    lines = read_all(reader).decode().splitlines()
    reader.close()
    assert lines[0] == "first"
    assert "rotated away" in lines[1]
    assert [int(line) for line in lines[2:]] == [18, 19]


def test_a_reader_can_begin_at_the_end(tmp_path: Path) -> None:
    log = RotatingLog(str(tmp_path), limit=100, keep=1)
    log.write(b"old\n")
    reader = LogReader(tmp_path / "engine.log", from_start=False)
    assert reader.read() == b""
    log.write(b"new\n")
    assert reader.read() == b"new\n"
    log.close()
    reader.close()


def test_a_reader_waits_for_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    reader = LogReader(tmp_path / "engine.log", from_start=True)
    assert reader.read() == b""
    (tmp_path / "engine.log").write_bytes(b"now\n")
    assert reader.read() == b"now\n"
    reader.close()


def test_a_reader_stays_calm_in_the_middle_of_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_bytes(b"one\n")
    reader = LogReader(log, from_start=True)
    assert reader.read() == b"one\n"
    log.rename(tmp_path / "engine.log.1")
    assert reader.read() == b""
    log.write_bytes(b"two\n")
    assert reader.read() == b"two\n"
    reader.close()
