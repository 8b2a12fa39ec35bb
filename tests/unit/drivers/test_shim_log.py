import errno
import os
import random
from pathlib import Path

import pytest

from sparkwell.drivers.process.shim.logfile import LONGEST_LINE, RotatingLog, next_piece, tail


def written(folder: Path) -> bytes:
    """All that is on disk, oldest first."""
    older = sorted(folder.glob("engine.log.*"), key=lambda path: -int(path.suffix[1:]))
    return b"".join(path.read_bytes() for path in [*older, folder / "engine.log"])


@pytest.mark.parametrize(
    ("data", "size", "line", "expected"),
    [
        (b"abc\n", 0, 0, (4, False)),
        (b"abc\n", 96, 0, (4, False)),
        (b"abc\n", 97, 0, (0, True)),  # the line goes into the next file, whole
        (b"ab\nabc\n", 97, 0, (3, True)),
        (b"abc\nxyz\n", 98, 5, (4, True)),  # it began in this file, so it ends here
        (b"abc", 98, 5, (3, False)),  # and may yet go on
        (b"x" * LONGEST_LINE, 0, 0, (LONGEST_LINE, True)),
        (b"x" * 10, LONGEST_LINE, LONGEST_LINE, (0, True)),
    ],
)
def test_where_a_file_ends(data: bytes, size: int, line: int, expected: tuple[int, bool]) -> None:
    assert next_piece(data, size, line, limit=100) == expected


@pytest.mark.parametrize("seed", range(20))
def test_rotation_neither_loses_nor_repeats_nor_splits(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    data = b"".join(b"%d %s\n" % (n, b"x" * chance.randrange(90)) for n in range(300))
    log = RotatingLog(str(tmp_path), limit=1000, keep=100)
    rest = data
    while rest:
        size = chance.choice([1, 7, 100, 3000])
        log.write(rest[:size])
        rest = rest[size:]
    log.close()
    assert written(tmp_path) == data
    files = list(tmp_path.glob("engine.log*"))
    assert len(files) > 10
    assert all(path.read_bytes().endswith(b"\n") for path in files)
    assert all(path.stat().st_size <= 1100 for path in files)


def test_an_endless_line_is_split_and_stays_whole_on_disk(tmp_path: Path) -> None:
    log = RotatingLog(str(tmp_path), limit=1000, keep=100)
    data = bytes(range(97, 123)) * 10_000
    for start in range(0, len(data), 5000):
        log.write(data[start : start + 5000])
    log.close()
    assert written(tmp_path) == data
    assert all(path.stat().st_size <= LONGEST_LINE for path in tmp_path.iterdir())


def test_only_so_many_files_are_kept(tmp_path: Path) -> None:
    log = RotatingLog(str(tmp_path), limit=100, keep=2)
    for number in range(100):
        log.write(b"%099d\n" % number)
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "engine.log",
        "engine.log.1",
        "engine.log.2",
    ]
    assert [int(line) for line in written(tmp_path).split()] == [97, 98, 99]


def test_keeping_none_still_bounds_the_log(tmp_path: Path) -> None:
    log = RotatingLog(str(tmp_path), limit=100, keep=0)
    for number in range(10):
        log.write(b"%099d\n" % number)
    log.close()
    assert [int(line) for line in written(tmp_path).split()] == [9]


def test_an_existing_log_is_appended_to(tmp_path: Path) -> None:
    (tmp_path / "engine.log").write_bytes(b"before\n")
    log = RotatingLog(str(tmp_path), limit=10, keep=3)
    log.write(b"after\n")
    log.close()
    assert (tmp_path / "engine.log.1").read_bytes() == b"before\n"


def test_a_full_disk_costs_output_and_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RotatingLog(str(tmp_path), limit=10_000, keep=3)
    log.write(b"before\n")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", refuse)
        for _ in range(3):
            log.write(b"0123456789")
    assert log.dropped == 30
    log.write(b"after\n")
    log.write(b"more\n")
    log.close()
    notice = b"[sparkwell: the disk refused 30 bytes of output here]\n"
    assert written(tmp_path) == b"before\n" + notice + b"after\nmore\n"


def test_a_disk_that_takes_half_is_told_in_a_line_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RotatingLog(str(tmp_path), limit=10_000, keep=3)
    real = os.write
    answers = iter([4, 0])

    def take_some(fd: int, data: bytes) -> int:
        count = next(answers)
        return real(fd, data[:count]) if count else refuse(fd, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", take_some)
        log.write(b"0123456789\n")
    log.close()
    assert log.dropped == 7
    assert written(tmp_path).startswith(b"0123\n[sparkwell: the disk refused 7 bytes")


def test_a_log_that_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    log = RotatingLog(str(folder), limit=100, keep=3)
    log.write(b"x" * 50)
    folder.mkdir()
    log.write(b"after\n")
    log.close()
    assert log.dropped == 50
    assert written(folder) == b"[sparkwell: the disk refused 50 bytes of output here]\nafter\n"


def refuse(_fd: int, _data: bytes) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_the_tail_is_what_a_terminal_would_show(tmp_path: Path) -> None:
    (tmp_path / "engine.log.1").write_bytes(b"one\ntwo\n")
    (tmp_path / "engine.log").write_bytes(b"\r 10%\r 100%\r\nbad \xff\nlast")
    assert tail(str(tmp_path), 4) == ["two", " 100%", "bad \ufffd", "last"]
    assert tail(str(tmp_path / "none"), 4) == []
