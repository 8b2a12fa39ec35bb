"""Log lines as they come, from the beginning, through rotation.

The file is looked at up to ten times a second: a look costs 10 µs, and the shim need not know
who reads. A carriage return ends a line too: progress bars (tqdm) move by it.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from sparkwell.drivers.process.folder import InstanceFolder

CHUNK = 256 * 1024
LONGEST_LINE = 1024 * 1024  # an endless line comes in pieces of this many bytes
SHORTEST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 0.25
GAP = b"[sparkwell: older output was rotated away before it was read]\n"


class LineSplitter:
    """Cuts bytes into lines of text. Bytes that are no UTF-8 become U+FFFD."""

    def __init__(self) -> None:
        self._rest = b""
        self._after_return = False

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that ``data`` completes."""
        if self._after_return and data.startswith(b"\n"):
            data = data[1:]
        self._after_return = data.endswith(b"\r")
        pieces = (self._rest + data).splitlines(keepends=True)
        ends = bool(pieces) and pieces[-1].endswith((b"\n", b"\r"))
        self._rest = b"" if ends or not pieces else pieces.pop()
        if len(self._rest) > LONGEST_LINE:
            pieces.append(self._rest)
            self._rest = b""
        return [_text(piece) for piece in pieces if piece != b"\r"]

    def close(self) -> list[str]:
        """Return what is left: a last line without an end."""
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest else []


class LogReader:
    """Reads engine.log and its elder files in the order of writing; knows them by inode."""

    def __init__(self, log: Path, *, from_start: bool) -> None:
        self._log = log
        self._gap = False
        self._file = self._open(self._oldest() if from_start else log)
        if self._file is not None and not from_start:
            os.lseek(self._file, 0, os.SEEK_END)

    def read(self) -> bytes:
        """Return the next piece, or nothing when there is no more for now."""
        if self._file is None:
            self._file = self._open(self._oldest())
        while self._file is not None:
            data = os.read(self._file, CHUNK)
            if data or _inode(self._log) == _inode(self._file):
                return data
            data = os.read(self._file, CHUNK)  # written between that look and the rotation
            if data:
                return data
            if not self._move_on():
                return b""
            if self._gap:
                return GAP
        return b""

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _move_on(self) -> bool:
        """Open the file after this one; False when rotation is half done: later, then.

        A file only ever moves to the next number, so what stands one below ours, while ours
        stays where it is, is the one written after it.
        """
        mine = _inode(self._file)
        place = next((path for path in self._elders() if _inode(path) == mine), None)
        self._gap = self._file is not None and os.fstat(self._file).st_nlink == 0
        if place is None and not self._gap:
            return False
        following = self._open(self._oldest() if place is None else self._after(place))
        if following is not None and place is not None and _inode(place) != mine:
            os.close(following)
            return False
        return self._take(following)

    def _take(self, following: int | None) -> bool:
        if following is None:
            return False
        self.close()
        self._file = following
        return True

    def _elders(self) -> Iterator[Path]:
        """Look for the rotated files, youngest first: in the direction in which they move.

        Not by listing the folder: a listing can miss a file that is renamed meanwhile. Half
        way through a rotation one number is free, never two in a row.
        """
        number = missing = 0
        while missing < 2:
            number += 1
            path = self._log.with_name(f"{self._log.name}.{number}")
            missing = 0 if path.exists() else missing + 1
            if not missing:
                yield path

    def _oldest(self) -> Path:
        return [self._log, *self._elders()][-1]

    def _after(self, elder: Path) -> Path:
        number = int(elder.suffix[1:]) - 1
        return elder.with_suffix(f".{number}") if number else self._log

    def _open(self, path: Path) -> int | None:
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None


def read_now(log: Path) -> tuple[list[str], list[str]]:
    """The lines in a log as following cuts them, and a last one without an end.

    Nothing when there is no log: a run may end before it has written a word.
    """
    reader, splitter = LogReader(log, from_start=True), LineSplitter()
    try:
        lines = [line for data in iter(reader.read, b"") for line in splitter.feed(data)]
    finally:
        reader.close()
    return lines, splitter.close()


async def follow(folder: InstanceFolder, *, from_start: bool) -> AsyncIterator[str]:
    """Yield lines until the instance has ended and all it said has been read."""
    reader = LogReader(folder.log, from_start=from_start)
    splitter = LineSplitter()
    pause_s = SHORTEST_PAUSE_S
    try:
        while True:
            ended = folder.has_ended  # asked before reading: what it said last is there by then
            while data := reader.read():
                for line in splitter.feed(data):
                    yield line
                pause_s = SHORTEST_PAUSE_S
                await asyncio.sleep(0)
            if ended:
                break
            await asyncio.sleep(pause_s)
            pause_s = min(1.5 * pause_s, LONGEST_PAUSE_S)
        for line in splitter.close():
            yield line
    finally:
        reader.close()


def _text(piece: bytes) -> str:
    return piece.rstrip(b"\r\n").decode("utf-8", "replace")


def _inode(file: int | Path | None) -> tuple[int, int] | None:
    if file is None:
        return None
    try:
        found = file.stat() if isinstance(file, Path) else os.fstat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino
