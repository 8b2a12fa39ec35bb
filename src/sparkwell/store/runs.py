"""What a new daemon cannot ask an engine that it finds running: who wanted it, what was before."""

import sqlite3

from sparkwell.store.access import Source, storable, using

KEPT = 256
_KEEP = """
INSERT INTO runs (instance, kept) VALUES (?, ?)
ON CONFLICT (instance) DO UPDATE SET kept = excluded.kept
"""
_SAW = """
INSERT INTO runs (instance, before) VALUES (?, ?)
ON CONFLICT (instance) DO UPDATE SET before = excluded.before
"""
_FORGET_OLD = "DELETE FROM runs WHERE id <= (SELECT max(id) FROM runs) - ?"


class Runs:
    """The newest runs by instance id, which never comes again: an ended one is in nobody's way."""

    def __init__(self, source: Source) -> None:
        self._db = using(source)

    def keep(self, instance: str, *, kept: bool) -> None:
        """Write down whether a person wants it: one that a request started ends when idle."""
        self._write(_KEEP, instance, kept)

    def saw(self, instance: str, before: str) -> None:
        """Write down how the machine's memory was before its start: as JSON, not read here."""
        self._write(_SAW, instance, storable(before))

    def kept(self, instance: str) -> bool | None:
        """Whether a person wants it; None where nobody wrote that down."""
        value = self._value("SELECT kept FROM runs WHERE instance = ?", instance)
        return None if value is None else bool(value)

    def before(self, instance: str) -> str | None:
        """How the machine's memory was before its start; None where nobody wrote that down."""
        value = self._value("SELECT before FROM runs WHERE instance = ?", instance)
        return None if value is None else str(value)

    def _write(self, sql: str, instance: str, value: object) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.execute(sql, (storable(instance), value))
            db.execute(_FORGET_OLD, (KEPT,))

        self._db.write(work)

    def _value(self, sql: str, instance: str) -> object:
        rows = self._db.rows(sql, (storable(instance),))
        return rows[0][0] if rows else None
