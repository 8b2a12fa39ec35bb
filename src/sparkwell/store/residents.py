"""Which models were ready, so that they come back after a reboot of the machine."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from sparkwell.store.access import Source, using

_OF_ANOTHER = """
SELECT model, wish, place FROM residents WHERE boot_id <> ? ORDER BY place, model
"""
_OF_THIS = "SELECT model, wish, place FROM residents WHERE boot_id = ? ORDER BY place, model"
_ADD = "INSERT OR REPLACE INTO residents (model, wish, place, boot_id) VALUES (?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Resident:
    """A model that was ready; ``wish`` says how it was started, as JSON, and is not read here.

    Those with a lower ``order`` come back first.
    """

    model: str
    wish: str
    order: int


class Residents:
    """The models that were ready when this was last written.

    The list says two things. Written under another boot: the machine went down with them, and
    they are to come back. Under this one: only the daemon was away, and what of them no longer
    lives was stopped meanwhile, or ended.

    ``boot_id`` is that of the kernel (/proc/sys/kernel/random/boot_id); None, where there is none,
    brings nothing back.
    """

    def __init__(self, source: Source) -> None:
        self._db = using(source)

    def set(self, entries: Iterable[Resident], boot_id: str | None) -> None:
        """Write the list anew; waits for the disk, since it is for after a power cut.

        While models are still being brought back they belong into it too: the daemon may be
        ended before it is done.
        """
        rows = [(each.model, each.wish, each.order, boot_id) for each in entries]

        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM residents")
            db.executemany(_ADD, rows)

        self._db.write(work, durable=True)

    def of_last_boot(self, boot_id: str | None) -> list[Resident]:
        """Those that were ready when the machine went down, in their order; read before ``set``."""
        return self._found(_OF_ANOTHER, boot_id)

    def of_this_boot(self, boot_id: str | None) -> list[Resident]:
        """Those that were ready when the last daemon ended, the machine not having rebooted."""
        return self._found(_OF_THIS, boot_id)

    def _found(self, sql: str, boot_id: str | None) -> list[Resident]:
        return [Resident(*row) for row in self._db.rows(sql, (boot_id,))]
