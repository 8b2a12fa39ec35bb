"""Reads the machine's memory through files that were opened once: no path is looked up later."""

import os
import resource
import time

from . import proc

MEMINFO = "/proc/meminfo"
PRESSURE = "/proc/pressure/memory"
ZONEINFO = "/proc/zoneinfo"
CHUNK = 16384  # /proc/meminfo has 1.5 KB; larger buffers would be mapped anew each time
MOST_CHUNKS = 256  # of /proc/zoneinfo, which comes in pieces: 1 KB a processor
OLD_S = 0.24  # the processors' lists are looked at so often, and always when memory is low


class Reader:
    """The open files. The first two can be others, so that a trace can be replayed."""

    def __init__(self, meminfo: str = MEMINFO, pressure: str | None = PRESSURE) -> None:
        self._meminfo = _open(meminfo)
        self._pressure = _open_if_there(pressure)
        self._zoneinfo = _open_if_there(ZONEINFO if meminfo == MEMINFO else None)
        self._per_cpu: int | None = None
        self._looked_at = float("-inf")

    def read(self, low_bytes: int = 0) -> proc.Sample | None:
        """Take a sample; None when the kernel gives no MemAvailable at this moment.

        Under ``low_bytes`` of MemAvailable everything is read afresh.
        """
        now = time.monotonic()
        meminfo = _read(self._meminfo)
        available = proc.available_bytes(meminfo or b"")
        if meminfo is None or available is None:
            return None
        if now - self._looked_at >= OLD_S or available < low_bytes:
            self._looked_at, self._per_cpu = now, self._lists()
        return proc.sample(now, meminfo, _read(self._pressure), self._per_cpu)

    def close(self) -> None:
        """Close the files; the guard never does."""
        for file in (self._meminfo, self._pressure, self._zoneinfo):
            if file is not None:
                os.close(file)

    def _lists(self) -> int | None:
        if self._zoneinfo is None:
            return None
        return proc.per_cpu_bytes(_read_whole(self._zoneinfo), resource.getpagesize())


def available_bytes() -> int | None:
    """Tell what is available now: MemAvailable and what processors keep for themselves."""
    reader = Reader()
    try:
        found = reader.read()
    finally:
        reader.close()
    return found.available if found else None


def _read_whole(file: int) -> bytes:
    text = b""
    for _ in range(MOST_CHUNKS):
        chunk = _read(file, len(text))
        if not chunk:
            break
        text += chunk
    return text


def _read(file: int | None, offset: int = 0) -> bytes | None:
    if file is None:
        return None
    try:
        return os.pread(file, CHUNK, offset)
    except OSError:  # EOPNOTSUPP: the kernel has it, but it was switched off at boot
        return None


def _open(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _open_if_there(path: str | None) -> int | None:
    try:
        return _open(path) if path else None
    except OSError:
        return None
