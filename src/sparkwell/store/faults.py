"""What is wrong with the database file, by SQLite's result codes, and what a person can do."""

import sqlite3
from enum import StrEnum
from pathlib import Path

from sparkwell.store.database import BrokenError


class Fault(StrEnum):
    """Why the file cannot be used now; each has its own remedy."""

    BROKEN = "broken"
    FULL = "full"
    READ_ONLY = "read-only"
    LOCKED = "locked"
    UNREACHABLE = "unreachable"


_BY_CODE = {
    sqlite3.SQLITE_CORRUPT: Fault.BROKEN,
    sqlite3.SQLITE_NOTADB: Fault.BROKEN,
    sqlite3.SQLITE_FULL: Fault.FULL,
    sqlite3.SQLITE_READONLY: Fault.READ_ONLY,
    sqlite3.SQLITE_PERM: Fault.READ_ONLY,
    sqlite3.SQLITE_BUSY: Fault.LOCKED,
    sqlite3.SQLITE_LOCKED: Fault.LOCKED,
    sqlite3.SQLITE_IOERR: Fault.UNREACHABLE,
    sqlite3.SQLITE_CANTOPEN: Fault.UNREACHABLE,
    sqlite3.SQLITE_PROTOCOL: Fault.UNREACHABLE,
}


_NO_ROOM_FOR_SHM = sqlite3.SQLITE_IOERR_SHMSIZE


def fault_of(error: sqlite3.Error) -> Fault | None:
    """The fault behind an error; None for a mistake of ours, which must not be hidden."""
    if isinstance(error, BrokenError):
        return Fault.BROKEN
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code == _NO_ROOM_FOR_SHM:
        return Fault.FULL
    return None if code is None else _BY_CODE.get(code & 0xFF)


def remedy(fault: Fault, file: Path) -> str:
    """What to do about it."""
    match fault:
        case Fault.FULL:
            return f"Free some space for {file.parent} (`df {file.parent}` shows it)."
        case Fault.READ_ONLY:
            return f"Let this user write {file} and its folder; `ls -la {file.parent}` shows both."
        case Fault.LOCKED:
            return f"Close the other program that has {file} open."
        case _:
            return f"See whether this user can write {file.parent}, and whether its disk is well."
