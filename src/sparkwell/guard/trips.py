"""What the guard did, read from trips.jsonl, from where one has read so far."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .files import OLD_TRIPS, TRIPS


@dataclass(frozen=True, slots=True)
class Trip:
    """One decision of the guard.

    ``at`` is Unix time in seconds. ``kind`` is "soft" or "hard", ``action`` "term", "kill" or
    "none" (nobody was left who could be ended; ``instance`` and ``model`` are None then).
    ``signalled`` are pids, ``refused`` says for others why not. ``trace`` holds "columns" and
    "rows" of the last 30 s, times in seconds before the decision.
    """

    at: float
    kind: str
    action: str
    instance: str | None
    model: str | None
    reason: str
    available_bytes: int | None
    signalled: tuple[int, ...]
    refused: Mapping[str, str]
    trace: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far one has read: the file, which may have been renamed since, and the byte."""

    inode: int = 0
    offset: int = 0


def unread(folder: Path, cursor: Cursor) -> Iterator[tuple[Trip, Cursor]]:
    """Read what came after the cursor, each trip with the cursor behind it."""
    if not _is(folder / TRIPS, cursor.inode) and _is(folder / OLD_TRIPS, cursor.inode):
        yield from _read(folder / OLD_TRIPS, cursor.offset)
    here = cursor.offset if _is(folder / TRIPS, cursor.inode) else 0
    yield from _read(folder / TRIPS, here)


def load_cursor(path: Path) -> Cursor:
    """Read a cursor; the beginning of everything where there is none."""
    try:
        found = json.loads(path.read_text("utf-8"))
        return Cursor(int(found["inode"]), int(found["offset"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Cursor()


def trip_of(line: bytes) -> Trip | None:
    """Read one line; None for one that is damaged."""
    try:
        found = json.loads(line)
        return Trip(
            float(found["at"]), found["kind"], found["action"], found["instance"],
            found["model"], found["reason"], found.get("available_bytes"),
            tuple(found["signalled"]), found["refused"], found["trace"],
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        return None


def _is(path: Path, inode: int) -> bool:
    try:
        return path.stat().st_ino == inode
    except OSError:
        return False


def _read(path: Path, offset: int) -> Iterator[tuple[Trip, Cursor]]:
    try:
        with path.open("rb") as file:
            inode = path.stat().st_ino
            file.seek(offset)
            lines = file.readlines()
    except OSError:
        return
    for line in lines:
        if not line.endswith(b"\n"):
            return
        offset += len(line)
        if trip := trip_of(line):
            yield trip, Cursor(inode, offset)
