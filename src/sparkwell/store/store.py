"""The daemon's store: the one writer of the file, which goes on without it where it has to.

    FILE ──── a write fails: disk full, read-only, locked ────► MEMORY (a copy of all that it has)
      ▲                                                            │
      └──── tried again every 10 s: the copy is written back ──────┘
    FILE ──── broken ────► put aside as sparkwell.db.broken-TIME, a new FILE
    FILE ──── deleted, or another one in its place ────► a new FILE with all that it has

All accesses of all tables pass ``_kept``: that is the one place where such errors are caught.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sparkwell.core.errors import EnvironmentFault
from sparkwell.store.access import Row, transact
from sparkwell.store.breakers import Breakers
from sparkwell.store.database import BrokenError, connected, unusable
from sparkwell.store.events import Events
from sparkwell.store.faults import Fault, fault_of, remedy
from sparkwell.store.history import History
from sparkwell.store.in_place import InPlace
from sparkwell.store.intents import Intents
from sparkwell.store.keeping import copy, in_memory, put_aside, read_into_memory, saved
from sparkwell.store.keys import Keys
from sparkwell.store.renewal import renewal
from sparkwell.store.residents import Residents
from sparkwell.store.restarts import Restarts
from sparkwell.store.runs import Runs
from sparkwell.store.starts import Starts
from sparkwell.store.usage import UsageLog

logger = logging.getLogger(__name__)
T = TypeVar("T")
RETRY_S = 10.0


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about the store that people should know; ``kind`` is that of an event.

    ``store.renewed``: the file was broken or gone; a new one begun, and a broken one kept aside.
    ``store.degraded``: it cannot be used now; what happens is remembered in memory.
    ``store.restored``: it can be again, and has all that was in memory.
    """

    kind: str
    message: str
    hint: str | None = None


class Store:
    """The tables of one file, of which this process is the one writer.

    A file that cannot be written, or even opened, is no error: it is told once, and the store goes
    on in memory. Raises EnvironmentFault only for a file of a newer Sparkwell, or one that is not
    a store of ours. ``clock`` is monotonic, ``now`` Unix time, both in seconds. ``boot_id`` is that
    of this boot of the machine; None where it has none.
    """

    def __init__(
        self,
        file: Path,
        *,
        boot_id: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self._clock = clock
        self._now = now
        self._hear: Callable[[Notice], None] | None = None
        self._unheard: list[Notice] = []
        self._retry_at: float | None = None
        self._fault: Fault | None = None
        self._place: InPlace | None = None
        self._renewals = 0
        self._db = self._opened()
        self.history = History(self)
        self.starts = Starts(self)
        self.events = Events(self)
        self.intents = Intents(self, now, boot_id)
        self.breakers = Breakers(self)
        self.restarts = Restarts(self)
        self.residents = Residents(self)
        self.runs = Runs(self)
        self.keys = Keys(self)
        self.usage = UsageLog(self)

    # ── what the daemon does with it ────────────────────────────────────────────────────────

    @property
    def fault(self) -> Fault | None:
        """Why the store is in memory alone; None when the file is in use."""
        return self._fault

    @property
    def renewals(self) -> int:
        """How often a new file has been begun: what it has is less than was written, perhaps."""
        return self._renewals

    def tell(self, hear: Callable[[Notice], None]) -> None:
        """Have ``hear`` called for what happened since the opening began, and from now on."""
        self._hear = hear
        self._pass_on()

    def try_again(self) -> bool:
        """Go back to the file if its time has come; whether the file is in use.

        Every access does this. To be called now and then where nothing is accessed for long.
        """
        if self._retry_at is not None and self._clock() >= self._retry_at:
            self._return()
            self._pass_on()
        return self._fault is None

    def look(self) -> None:
        """See that the file is still there and whole, at a glance; begin a new one if it is not.

        To be called now and then: SQLite writes into a deleted file without a word.
        """
        if self._place and (said := self._place.trouble()):
            self._db = self._replaced(self._db, Fault.BROKEN, BrokenError(said))
            self._pass_on()

    def close(self) -> None:
        """Write what is only in memory if that is possible now, and let go of the file."""
        if self._retry_at is not None:
            self._return()
        if self._fault:
            logger.warning("What happened since %s could not be written is lost.", self._file)
        self._db.close()
        self._leave_file()

    # ── for the tables ──────────────────────────────────────────────────────────────────────

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """All rows of one query, from the file or from memory."""
        return self._kept(lambda db: db.execute(sql, values).fetchall())

    def write(
        self,
        work: Callable[[sqlite3.Connection], T],
        *,
        durable: bool = False,
        proven: bool = False,
    ) -> T:
        """Do ``work`` as one transaction, in the file or in memory."""

        def do(db: sqlite3.Connection) -> T:
            done = transact(db, work, durable=durable)
            if proven and self._place:
                self._place.prove()
            return done

        return self._kept(do)

    def _kept(self, do: Callable[[sqlite3.Connection], T]) -> T:
        """Do it; where the file fails, do it again in what takes its place.

        That is a new file at most once, and then memory.
        """
        self.try_again()
        renew = True
        while True:
            try:
                done = do(self._db)
            except sqlite3.Error as error:
                fault = fault_of(error)
                if fault is None or self._fault:  # a mistake of ours, or one in memory
                    raise
                self._db = self._replaced(self._db, fault, error, renew=renew)
                renew = False
            else:
                self._pass_on()
                return done

    # ── opening, and what takes the file's place ────────────────────────────────────────────

    def _opened(self) -> sqlite3.Connection:
        try:
            return self._in_use(connected(self._file, check=True))
        except sqlite3.Error as error:
            fault = fault_of(error)
            if fault is None:
                raise unusable(self._file, error) from None
            return self._replaced(None, fault, error)

    def _in_use(self, file: sqlite3.Connection) -> sqlite3.Connection:
        """The same, watched from now on."""
        self._place = InPlace(self._file)
        return file

    def _leave_file(self) -> None:
        """Nothing at the path is ours any more. After its connection is closed."""
        if self._place:
            self._place.close()
            self._place = None

    def _replaced(
        self,
        failed: sqlite3.Connection | None,
        fault: Fault,
        error: sqlite3.Error,
        *,
        renew: bool = True,
    ) -> sqlite3.Connection:
        """What to go on with, instead of a file (open as ``failed``) that cannot be used."""
        place, self._place = self._place, None
        try:
            if fault is Fault.BROKEN and renew:
                return self._renewed(failed, place, error)
            return self._degraded(failed, fault, error)
        finally:
            _let_go(failed)
            if place:
                place.close()

    def _renewed(
        self, failed: sqlite3.Connection | None, place: InPlace | None, error: sqlite3.Error
    ) -> sqlite3.Connection:
        """A new file, with all that is still whole; what is at the path is kept aside.

        In memory where not even that is possible.
        """
        whole = saved(failed) if failed else None
        try:
            kept = put_aside(self._file, self._now(), paired=place is None or place.stands)
        except OSError:
            return self._degraded(None, Fault.BROKEN, error)
        _let_go(failed)  # now: as it closes it may delete the log at its path, the new one's
        self._renewals += 1
        self._say("store.renewed", *renewal(str(error), kept, whole=whole is not None))
        try:
            return self._begun(whole)
        except sqlite3.Error as again:
            return self._degraded(whole, fault_of(again) or Fault.UNREACHABLE, again)
        finally:
            if whole:
                whole.close()

    def _begun(self, whole: sqlite3.Connection | None) -> sqlite3.Connection:
        """A new file with all that ``whole`` has. Raises sqlite3.Error."""
        file = connected(self._file)
        try:
            if whole:
                copy(whole, file)
        except sqlite3.Error:
            file.close()
            raise
        return self._in_use(file)

    def _degraded(
        self, failed: sqlite3.Connection | None, fault: Fault, error: sqlite3.Error
    ) -> sqlite3.Connection:
        """A copy in memory of what the file has, to be written back later."""
        self._fault, self._retry_at = fault, self._clock() + RETRY_S
        told, hint = f"The store {self._file} cannot be written", remedy(fault, self._file)
        memory = None if fault is Fault.BROKEN else self._copied(failed)
        if memory is None:
            # Nobody knows what it has: written over, that would be lost.
            self._retry_at, memory = None, in_memory()
            told, hint = (
                f"The store {self._file} cannot be read",
                f"{hint} Then restart the daemon.",
            )
        self._say(
            "store.degraded", f"{told} ({error}); what happens is remembered in memory alone", hint
        )
        return memory

    def _copied(self, failed: sqlite3.Connection | None) -> sqlite3.Connection | None:
        with suppress(sqlite3.Error):
            return in_memory(failed) if failed else read_into_memory(self._file)
        return None

    def _return(self) -> None:
        """Write the copy back as one transaction, and use the file again; or wait for longer."""
        self._retry_at = self._clock() + RETRY_S
        try:
            file = connected(self._file)
        except (sqlite3.Error, EnvironmentFault):
            return
        try:
            copy(self._db, file)
        except sqlite3.Error:
            file.close()
            return
        with closing(self._db):
            self._db, self._fault, self._retry_at = self._in_use(file), None, None
        self._say("store.restored", f"The store {self._file} can be written again; nothing is lost")

    def _say(self, kind: str, message: str, hint: str | None = None) -> None:
        level = logging.INFO if kind == "store.restored" else logging.WARNING
        logger.log(level, "%s. %s", message, hint or "", extra={"action": kind})
        self._unheard.append(Notice(kind, message, hint))

    def _pass_on(self) -> None:
        """Not sooner than all is in order again: who hears of it may write that down here."""
        while self._hear and self._unheard:
            self._hear(self._unheard.pop(0))


def _let_go(failed: sqlite3.Connection | None) -> None:
    if failed:
        with suppress(sqlite3.Error):
            failed.close()
