"""Logs from files, pipes and devices."""

import gzip
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sparkwell.core.errors import EnvironmentFault, UsageError
from sparkwell.doctor import log_files
from sparkwell.doctor.log_files import Limits, read_log

LINE = b"(EngineCore pid=7) ERROR 11-21 10:00:00 [core.py:7] OutOfMemoryError: odd\n"
SHORT = Limits(most_bytes=3_000_000, idle_s=0.2, most_s=1.0)


@contextmanager
def piped(monkeypatch: pytest.MonkeyPatch, data: bytes) -> Iterator[None]:
    """Standard input that gives these bytes and ends."""
    reading, writing = os.pipe()
    monkeypatch.setattr(log_files, "_STANDARD_INPUT", reading)
    os.write(writing, data)
    os.close(writing)
    yield
    os.close(reading)


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(LINE * 3)
    log = read_log(tmp_path / "a.log")
    assert (log.source, log.total_lines, log.total_bytes) == (
        str(tmp_path / "a.log"), 3, 3 * len(LINE)
    )  # fmt: skip
    assert read_log(tmp_path / "a.log", "run-1").source == "run-1"


@pytest.mark.parametrize("path", [None, Path("-")])
def test_standard_input(path: Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
    with piped(monkeypatch, LINE):
        log = read_log(path)
    assert (log.source, log.lines[0].words) == ("standard input", "OutOfMemoryError: odd")


def test_packed_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    with piped(monkeypatch, gzip.compress(LINE)):
        assert read_log(None).lines[0].words == "OutOfMemoryError: odd"


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(LINE * 50_000),
        gzip.compress(LINE * 25_000) + gzip.compress(LINE * 25_000),  # logs put together
        gzip.compress(LINE * 50_000) + b"\0" * 512,
    ],
)
def test_gzip_is_known_by_what_it_holds(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.log").write_bytes(data)
    log = read_log(tmp_path / "a.log")
    assert log.total_bytes == 50_000 * len(LINE)
    assert log.total_lines == 50_000


def test_gzip_that_breaks_off_gives_what_it_holds_and_says_so(tmp_path: Path) -> None:
    data = gzip.compress(b"".join(LINE[:-4] + b"%d\n" % number for number in range(9_000)))
    (tmp_path / "a.gz").write_bytes(data[: len(data) // 2])
    log = read_log(tmp_path / "a.gz")
    assert log.lines[0].words == "OutOfMemoryError: 0"
    assert "breaks off here" in log.lines[-1].text


def test_a_gzip_bomb_is_read_up_to_the_limit(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"x" * 20_000_000))
    log = read_log(tmp_path / "a.gz", limits=SHORT)
    assert log.total_bytes < 5_000_000
    assert "only the first 3 MB" in log.lines[-1].text


def test_of_a_long_file_both_ends_are_read(tmp_path: Path) -> None:
    middle = b"ValueError: in the middle\n"
    (tmp_path / "a.log").write_bytes(LINE * 40_000 + middle * 99 + LINE * 40_000 + b"Killed\n")
    log = read_log(tmp_path / "a.log", limits=SHORT)
    said = [line.text for line in log.lines]
    assert said[-1] == "Killed"
    assert "ValueError: in the middle" not in said
    assert any("2 MB of this log were not read here" in text for text in said)


@pytest.mark.parametrize(
    ("make", "says", "hint"),
    [
        (lambda path: path.mkdir(), "is a folder", "Give one log"),
        (lambda path: path.touch(), "is empty", "has something in it"),
        (lambda path: None, "There is no file", "path of a log"),
        (lambda path: path.write_bytes(b"\xfd7zXZ\0aaa"), "packed with xz", "xz -dc"),
        (lambda path: path.write_bytes(b"\x28\xb5\x2f\xfdaaa"), "packed with zstd", "zstd -dc"),
        (lambda path: path.write_bytes(b"PK\x03\x04aaa"), "packed with zip", "unzip -p"),
        (lambda path: path.write_bytes(b"\x1f\x8bno, it is not"), "cannot be unpacked", "again"),
        (os.mkfifo, "Nothing came from", "writing to it"),
    ],
)  # fmt: skip
def test_what_is_no_log_is_refused(tmp_path: Path, make: object, says: str, hint: str) -> None:
    assert callable(make)
    make(tmp_path / "a.log")
    with pytest.raises(UsageError) as refused:
        read_log(tmp_path / "a.log", limits=SHORT)
    assert says in refused.value.message
    assert hint in (refused.value.hint or "")


def test_of_a_folder_the_newest_log_is_named(tmp_path: Path) -> None:
    for at, name in enumerate(("old.log", "new.log", "other.txt")):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (at, at))
    with pytest.raises(UsageError, match=r"new\.log"):
        read_log(tmp_path)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refused)  # root may read everything
    with pytest.raises(EnvironmentFault, match=r"cannot be read.*sudo cat"):
        read_log(tmp_path / "a.log")


def test_a_terminal_is_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "isatty", lambda _: True)
    with piped(monkeypatch, LINE), pytest.raises(UsageError, match="terminal"):
        read_log(None)


def test_a_pipe_with_a_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(LINE * 3_000,))
    writer.start()
    log = read_log(tmp_path / "pipe")
    writer.join()
    assert log.total_lines == 3_000


def test_a_pipe_that_falls_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(log_files, "_STANDARD_INPUT", reading)
    os.write(writing, LINE)
    log = read_log(None, limits=SHORT)
    os.close(reading)
    os.close(writing)
    assert log.lines[0].words == "OutOfMemoryError: odd"
    assert "nothing more was waited for" in log.lines[-1].text


def test_a_device_without_an_end() -> None:
    log = read_log(Path("/dev/zero"), limits=SHORT)
    assert "only the first 3 MB" in log.lines[-1].text


def test_a_file_without_a_size() -> None:
    assert read_log(Path("/proc/self/status")).total_lines > 10
