"""How tables reach their rows: over a connection, or over the store that outlives a bad disk."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Row = tuple[Any, ...]


class Database(Protocol):
    """What a table asks of the database below it. Raises sqlite3.Error."""

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """All rows of one query."""
        ...

    def write(
        self,
        work: Callable[[sqlite3.Connection], T],
        *,
        durable: bool = False,
        proven: bool = False,
    ) -> T:
        """Do ``work`` as one transaction; ``durable`` also waits until the disk has it.

        ``proven`` also looks whether another process would find it there: for what a person is
        told to rely on. Where it would not, ``work`` is done once more, in another file.
        """
        ...


class Plain:
    """A connection as it is: every error comes out."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """All rows of one query."""
        return self._connection.execute(sql, values).fetchall()

    def write(
        self,
        work: Callable[[sqlite3.Connection], T],
        *,
        durable: bool = False,
        proven: bool = False,  # noqa: ARG002 - of a connection nobody knows the file
    ) -> T:
        """Do ``work`` as one transaction."""
        return transact(self._connection, work, durable=durable)


Source = sqlite3.Connection | Database
"""What a table is made of."""


def using(source: Source) -> Database:
    """The database of a table."""
    return Plain(source) if isinstance(source, sqlite3.Connection) else source


def transact(
    connection: sqlite3.Connection,
    work: Callable[[sqlite3.Connection], T],
    *,
    durable: bool = False,
) -> T:
    """One transaction: committed, or rolled back and raised.

    What is committed survives the end of this process, kill -9 included: it is in the write-ahead
    log, in the kernel's hands. With synchronous = NORMAL nobody waits for the disk, so that a power
    cut (or a machine that freezes) can take the last commits with it, back to some earlier one, and
    never half of one. ``durable`` waits: a few milliseconds for what is rare and matters after one.
    """
    if durable:
        connection.execute("PRAGMA synchronous = FULL")
    try:
        with connection:  # rolls back: an open transaction would block the next one
            connection.execute("BEGIN IMMEDIATE")
            return work(connection)
    finally:
        if durable:
            connection.execute("PRAGMA synchronous = NORMAL")


def storable(text: str) -> str:
    """Text as SQLite takes it: half a surrogate pair, from a file's name say, becomes "?"."""
    return text.encode("utf-8", "replace").decode()
