"""The database file: opened, checked and brought to the newest schema."""

import sqlite3
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
)
"""Each entry leads from schema version n to n + 1. Entries are never changed, only added."""


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
