"""The engine's output on disk: appended, rotated by size, never in the engine's way.

engine.log is the newest, engine.log.1 the one before, and so on. Rotation happens between
lines; inside one only when that line alone is longer than LONGEST_LINE.
"""
# ruff: noqa: PTH105, PTH123 - pathlib would cost every shim a megabyte

import os

from . import files

LONGEST_LINE = 64 * 1024
TAIL_BYTES = 64 * 1024
TAIL_LINE_CHARS = 2000


def next_piece(data: bytes, size: int, line: int, limit: int) -> tuple[int, bool]:
    """How many bytes of ``data`` the current file takes, and whether it rotates after them.

    ``size`` is the file's length, ``line`` the length of the unfinished line at its end,
    ``limit`` the length at which a file is full.
    """
    room = max(limit - size, 0)
    if len(data) <= room:
        return len(data), False
    fits = data.rfind(b"\n", 0, room) + 1
    if fits:
        return fits, True
    if size and not line:
        return 0, True  # the line would begin here: it begins in the next file
    return _rest_of_line(data, max(LONGEST_LINE - line, 0))


def _rest_of_line(data: bytes, allowed: int) -> tuple[int, bool]:
    end = data.find(b"\n", 0, allowed) + 1
    if end:
        return end, True
    return (len(data), False) if len(data) < allowed else (allowed, True)


class RotatingLog:
    """Appends to engine.log and keeps ``keep`` older files. Never raises for a full disk.

    Writes to a regular file cannot be made non-blocking; the page cache takes them, and the
    pipe (1 MiB) bridges what it does not. What the disk refuses is dropped and counted
    (``dropped``, in bytes), because an engine that waits for its log is an engine that hangs.
    """

    def __init__(self, folder: str, limit: int, keep: int) -> None:
        self.dropped = 0
        self._path = files.join(folder, files.LOG)
        self._limit = max(limit, 1)
        self._keep = keep
        self._line = 0
        self._untold = 0
        self._lost = False
        self._file = self._open()
        self._size = os.fstat(self._file).st_size

    def write(self, data: bytes) -> None:
        """Append ``data``, rotating where it is due."""
        if self._lost:
            self._reopen()
        if self._untold:
            self._tell()
        while data:
            count, rotate = next_piece(data, self._size, self._line, self._limit)
            self._append(data[:count])
            data = data[count:]
            if rotate:
                self._rotate()

    def close(self) -> None:
        """Say what could not be written, if it can be said by now, and close."""
        if self._untold:
            self._tell()
        os.close(self._file)

    def drop_oldest(self) -> None:
        """Give disk space back: the oldest output goes first."""
        for number in range(self._keep, 0, -1):
            files.remove(f"{self._path}.{number}")

    def _append(self, data: bytes) -> None:
        written = self._put(data)
        self.dropped += len(data) - written
        self._untold += len(data) - written

    def _put(self, data: bytes) -> int:
        done = 0
        try:
            while done < len(data):
                done += os.write(self._file, data[done:])
        except OSError:  # ENOSPC, EDQUOT, EIO: the caller counts what is missing
            pass
        self._size += done
        newline = data.rfind(b"\n", 0, done)
        self._line = self._line + done if newline < 0 else done - newline - 1
        return done

    def _tell(self) -> None:
        start = "\n" if self._line else ""
        notice = f"{start}[sparkwell: the disk refused {self._untold} bytes of output here]\n"
        if self._put(notice.encode()) == len(notice):
            self._untold = 0

    def _rotate(self) -> None:
        os.close(self._file)
        for number in range(self._keep, 0, -1):
            self._shift(number)
        if not self._keep:
            files.remove(self._path)
        self._file = self._open()
        self._size = self._line = 0

    def _shift(self, number: int) -> None:
        older = f"{self._path}.{number}"
        newer = f"{self._path}.{number - 1}" if number > 1 else self._path
        try:
            os.replace(newer, older)
        except OSError:  # there are not that many yet
            return

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._lost = False
        try:
            return os.open(self._path, flags, 0o600)
        except OSError:  # no inode left, or the folder is gone: for now the engine runs unlogged
            self._lost = True
            return os.open("/dev/full", os.O_WRONLY | os.O_CLOEXEC)

    def _reopen(self) -> None:
        os.close(self._file)
        self._file = self._open()


def tail(folder: str, count: int) -> list[str]:
    """Read the last ``count`` lines of output, each as a terminal would show it in the end."""
    path = files.join(folder, files.LOG)
    text = _last_bytes(path)
    if text.count(b"\n") < count:
        text = _last_bytes(f"{path}.1") + text
    lines = text.decode("utf-8", "replace").split("\n")
    shown = [_final(line) for line in (lines if lines[-1] else lines[:-1])]
    return shown[-count:]


def _final(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2][:TAIL_LINE_CHARS]


def _last_bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            start = max(os.fstat(file.fileno()).st_size - TAIL_BYTES, 0)
            file.seek(start)
            return file.read(TAIL_BYTES)
    except OSError:
        return b""
