"""The database file: opened, checked and brought to the newest schema; or only looked into."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sparkwell.core.errors import EnvironmentFault

MIGRATIONS = (
    """
    CREATE TABLE phase_history (
        id INTEGER PRIMARY KEY,
        model TEXT NOT NULL,
        engine TEXT NOT NULL,
        engine_version TEXT NOT NULL,
        phase TEXT NOT NULL,
        seconds REAL NOT NULL CHECK (seconds >= 0),
        ended_at REAL NOT NULL
    );
    CREATE INDEX phase_history_by_start
        ON phase_history (model, engine, engine_version, phase, id);
    """,
    """
    CREATE TABLE starts (
        id INTEGER PRIMARY KEY,
        instance TEXT NOT NULL UNIQUE,
        machine TEXT NOT NULL,
        total_bytes INTEGER NOT NULL CHECK (total_bytes > 0),
        model TEXT NOT NULL,
        repo TEXT,
        revision TEXT,
        engine TEXT NOT NULL,
        engine_version TEXT NOT NULL,
        device TEXT NOT NULL,
        flags TEXT NOT NULL,
        weights_bytes INTEGER,
        kv_cache_bytes INTEGER,
        kv_cache_tokens INTEGER,
        graphs_bytes INTEGER,
        at REAL NOT NULL,
        warm INTEGER,
        from_metrics INTEGER NOT NULL
    );
    CREATE INDEX starts_by_kind
        ON starts (machine, model, engine, engine_version, flags, id);
    """,
)
"""Each entry leads from schema version n to n + 1. Entries are never changed, only added."""


_READING_PATIENCE_S = 0.5


def open_database(file: Path) -> sqlite3.Connection:
    """Open (or create) the database and migrate it.

    Raises EnvironmentFault when a newer Sparkwell wrote it, or it cannot be used at all.
    """
    try:
        return _opened(file)
    except sqlite3.Error as error:
        raise EnvironmentFault(
            f"The store {file} cannot be used: {error}.",
            hint="Move the file away to start with an empty one; only history is lost.",
        ) from None


def _opened(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _migrate(connection, file)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, file: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise EnvironmentFault(
            f"The store {file} was written by a newer Sparkwell (schema {version}, this one "
            f"knows {len(MIGRATIONS)}).",
            hint="Install the newer version again, or set SPARKWELL_HOME to another folder.",
        )
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {statements}; PRAGMA user_version = {number}; COMMIT;"
        )


@contextmanager
def reading(file: Path) -> Iterator[sqlite3.Connection | None]:
    """Look into the database without a daemon; None without a file of exactly this schema.

    Nothing is created, migrated or left beside the file. Raises sqlite3.Error for a file that is
    locked or broken, here or in a query.
    """
    if not file.is_file():
        yield None
        return
    with closing(_connected_for_reading(file)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        yield connection if version == len(MIGRATIONS) else None


def _connected_for_reading(file: Path) -> sqlite3.Connection:
    """Without a write-ahead log nobody writes; asked to read as usual, SQLite would make one."""
    in_use = file.with_name(f"{file.name}-wal").exists()
    how = "mode=ro" if in_use else "mode=ro&immutable=1"
    return sqlite3.connect(
        f"{file.absolute().as_uri()}?{how}", uri=True, timeout=_READING_PATIENCE_S
    )
