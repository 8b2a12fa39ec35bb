"""What becomes of a file that cannot be used: moved aside, or copied into memory."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sparkwell.store.database import check_pages, connected_for_reading, refuse_newer
from sparkwell.store.schema import migrate

PARTS = ("-wal", "-shm")


def put_aside(file: Path, at: float, *, paired: bool = True) -> Path | None:
    """Rename a broken file, and what belongs to it, so that SQLite can still open it there.

    ``at`` is Unix time in seconds. None where there is no file any more. Without ``paired`` the
    log belongs to another file, and gets a name under which SQLite takes it for nobody's. Raises
    OSError.
    """
    moment = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
    kept = _unused(file.with_name(f"{file.name}.broken-{moment}"))
    for part in PARTS:  # first: beside a new file they would be taken for its own
        beside = file.with_name(file.name + part)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + ("" if paired else ".apart") + part))
    if not file.exists():
        return None
    file.rename(kept)
    return kept


def _unused(file: Path) -> Path:
    number, free = 2, file
    while free.exists():
        free, number = file.with_name(f"{file.name}-{number}"), number + 1
    return free


def copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Replace all that ``target`` has, as one transaction. Raises sqlite3.Error."""

    def whole_or_not(status: int, _left: int, _pages: int) -> None:
        # Python would try again for ever, and with it the daemon's loop would stand still.
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise sqlite3.OperationalError("database is locked")

    source.backup(target, progress=whole_or_not)


def in_memory(source: sqlite3.Connection | None = None) -> sqlite3.Connection:
    """A database in memory, of the newest schema, with all that ``source`` has.

    Raises sqlite3.Error.
    """
    memory = sqlite3.connect(":memory:", isolation_level=None)
    try:
        if source:
            copy(source, memory)
        migrate(memory)
    except BaseException:
        memory.close()
        raise
    return memory


def saved(source: sqlite3.Connection) -> sqlite3.Connection | None:
    """A copy in memory of a file that is broken or gone, as it is open; None where none is whole.

    What was deleted is still there for who has it open.
    """
    try:
        memory = in_memory(source)
    except sqlite3.Error:
        return None
    try:
        check_pages(memory)
    except sqlite3.Error:
        memory.close()
        return None
    return memory


def read_into_memory(file: Path) -> sqlite3.Connection:
    """What a file has that cannot be written, in memory. Nobody else may be using the file.

    Raises sqlite3.Error where it cannot be read either, EnvironmentFault for a newer schema.
    """
    if not file.exists():
        return in_memory()
    try:
        return _copied(file, connected_for_reading(file))
    except sqlite3.Error:
        return _copied(file, _connected_alone(file))


def _copied(file: Path, source: sqlite3.Connection) -> sqlite3.Connection:
    with closing(source):
        refuse_newer(source, file)
        return in_memory(source)


def _connected_alone(file: Path) -> sqlite3.Connection:
    """Reads the log without a -shm file, for which a full disk has no room."""
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=0)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    return connection
