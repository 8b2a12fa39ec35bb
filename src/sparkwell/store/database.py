"""The database file: opened, checked and brought to the newest schema; or only looked into."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sparkwell.core.errors import EnvironmentFault
from sparkwell.store.schema import MIGRATIONS, migrate, version

_READING_PATIENCE_S = 0.5
_WRITING_PATIENCE_S = 0.25
"""Nobody else writes; a person with a shell on the file must not hold up the daemon's loop."""


class BrokenError(sqlite3.DatabaseError):
    """The file can be read, and what stands in it contradicts itself."""


def open_database(file: Path) -> sqlite3.Connection:
    """Open (or create) the database and migrate it.

    Raises EnvironmentFault when a newer Sparkwell wrote it, or it cannot be used at all.
    """
    try:
        return connected(file)
    except sqlite3.Error as error:
        raise unusable(file, error) from None


def unusable(file: Path, error: sqlite3.Error) -> EnvironmentFault:
    """The error for a file that nothing can be done with."""
    return EnvironmentFault(
        f"The store {file} cannot be used: {error}.",
        hint="Move the file away to start with an empty one; only history is lost.",
    )


def connected(file: Path, *, check: bool = False) -> sqlite3.Connection:
    """As ``open_database``, with SQLite's own errors; ``check`` looks at every page first.

    Raises BrokenError when that finds something.
    """
    connection = sqlite3.connect(file, timeout=_WRITING_PATIENCE_S, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        refuse_newer(connection, file)
        if check:
            check_pages(connection)
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def refuse_newer(connection: sqlite3.Connection, file: Path) -> None:
    """Raise EnvironmentFault for a file of a later schema: nobody here knows what it means."""
    found = version(connection)
    if found > len(MIGRATIONS):
        raise EnvironmentFault(
            f"The store {file} was written by a newer Sparkwell (schema {found}, this one "
            f"knows {len(MIGRATIONS)}).",
            hint="Install the newer version again, or set SPARKWELL_HOME to another folder.",
        )


def check_pages(connection: sqlite3.Connection) -> None:
    """Look at every page. Raises BrokenError, or sqlite3.Error where not even that is possible."""
    (said,) = connection.execute("PRAGMA quick_check (1)").fetchone()
    if said != "ok":
        raise BrokenError(str(said))


@contextmanager
def reading(file: Path) -> Iterator[sqlite3.Connection | None]:
    """Look into the database without a daemon; None without a file of exactly this schema.

    Nothing is created, migrated or left beside the file. Raises sqlite3.Error for a file that is
    locked or broken, here or in a query.
    """
    if not file.is_file():
        yield None
        return
    with closing(connected_for_reading(file)) as connection:
        yield connection if version(connection) == len(MIGRATIONS) else None


def connected_for_reading(file: Path) -> sqlite3.Connection:
    """Without a write-ahead log nobody writes; asked to read as usual, SQLite would make one."""
    in_use = file.with_name(f"{file.name}-wal").exists()
    how = "mode=ro" if in_use else "mode=ro&immutable=1"
    return sqlite3.connect(
        f"{file.absolute().as_uri()}?{how}", uri=True, timeout=_READING_PATIENCE_S
    )
