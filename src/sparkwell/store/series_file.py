"""The file of the history: opened, checked, put aside. Nothing else depends on what is in it."""

import sqlite3
from contextlib import suppress
from pathlib import Path

from sparkwell.store.database import BrokenError
from sparkwell.store.keeping import PARTS
from sparkwell.store.series_tables import VERSION, create

_PATIENCE_S = 0.25
_LOG_PAGES = 256


def opened(file: Path) -> sqlite3.Connection:
    """Open or create it. Any thread may use the connection, one at a time.

    Raises sqlite3.Error; BrokenError where it contradicts itself, or is of another schema.
    """
    db = sqlite3.connect(file, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)
    try:
        # Pages of deleted rows are used again, so the file only grows to what is kept at once.
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        db.execute("BEGIN IMMEDIATE")  # who cannot write shall hear of it now
        db.execute("ROLLBACK")
        _check(db)
        create(db)
    except BaseException:
        db.close()
        raise
    return db


def in_memory() -> sqlite3.Connection:
    """An empty one without a file."""
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    create(db)
    return db


def put_aside(file: Path) -> Path:
    """Rename a broken file in place of the one that was put aside before. Raises OSError."""
    kept = file.with_name(f"{file.name}.broken")
    for part in PARTS:  # beside a new file they would be taken for its own
        with suppress(FileNotFoundError):
            file.with_name(file.name + part).replace(kept.with_name(kept.name + part))
    file.replace(kept)
    return kept


def _check(db: sqlite3.Connection) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version not in (0, VERSION):
        raise BrokenError(f"schema {version}, not {VERSION}")
    (said,) = db.execute("PRAGMA quick_check (1)").fetchone()
    if said != "ok":
        raise BrokenError(str(said))
