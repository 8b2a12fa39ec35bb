"""Which engines were started again, and why."""

import sqlite3
from dataclasses import dataclass

from sparkwell.store.access import Source, storable, using

KEPT = 1000
_ADD = "INSERT INTO restarts (model, instance, reason, at) VALUES (?, ?, ?, ?)"
_FORGET_OLD = "DELETE FROM restarts WHERE id <= ?"
_SINCE = "SELECT model, instance, reason, at FROM restarts WHERE at >= ? ORDER BY id DESC"


@dataclass(frozen=True, slots=True)
class Restart:
    """A start that was made because the run before had ended; ``instance`` is the run that ended.

    ``at`` is Unix time in seconds.
    """

    model: str
    instance: str
    reason: str
    at: float


class Restarts:
    """The newest restarts of all models."""

    def __init__(self, source: Source) -> None:
        self._db = using(source)

    def add(self, model: str, instance: str, reason: str, at: float) -> None:
        """Remember one."""

        def work(db: sqlite3.Connection) -> None:
            number = db.execute(_ADD, (model, instance, storable(reason), at)).lastrowid or 0
            db.execute(_FORGET_OLD, (number - KEPT,))

        self._db.write(work)

    def since(self, at: float) -> list[Restart]:
        """Those since a moment, in Unix seconds, of all models; newest first."""
        return [Restart(*row) for row in self._db.rows(_SINCE, (at,))]
