"""The history of what was sampled: a file of its own, bounded, and expendable.

FILE ── cannot be written ──► MEMORY (new rounds alone, bounded) ── every 30 s ──► FILE
FILE ── broken, or of another schema ──► put aside as metrics.db.broken, a new FILE
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sparkwell.core.errors import UsageError
from sparkwell.store.access import transact
from sparkwell.store.faults import Fault, fault_of, remedy
from sparkwell.store.series_file import in_memory, opened, put_aside
from sparkwell.store.series_lines import Lines, Stored, draw, span
from sparkwell.store.series_names import ENGINE_SERIES, MACHINE_SERIES, Point, Source
from sparkwell.store.series_plan import Limits, Tier, horizon
from sparkwell.store.series_tables import add, copy_rows, find, forget_sources, tidy
from sparkwell.store.store import Notice

logger = logging.getLogger(__name__)
RETRY_S = 30.0
TIDY_S = 60.0
FORGET_S = 3600.0
MEMORY_BYTES = 8 * 1024**2


@dataclass(slots=True)
class _Turns:
    """When something is to be done again, in seconds of a monotonic clock."""

    every_s: float
    at: float = field(default=0.0)

    def come(self, now: float) -> bool:
        if now < self.at:
            return False
        self.at = now + self.every_s
        return True


class Series:
    """The history in ``file``, of which this process is the one writer.

    All its methods may be called from any thread, one call at a time goes on. None raises for a
    file that cannot be used: that is told once to ``hear``, in the thread that found it and with
    this history locked, and the history goes on in memory.
    ``interval_s`` is how often rounds are added; ``clock`` is monotonic, ``now`` Unix time, both
    in seconds.
    """

    def __init__(
        self,
        file: Path,
        *,
        interval_s: float = Tier.RAW.step_s,
        limits: Limits | None = None,
        hear: Callable[[Notice], None] = lambda _notice: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self._interval_s = interval_s
        self._limits = limits or Limits()
        self._hear = hear
        self._clock, self._now = clock, now
        self._lock = threading.Lock()
        self._ids: dict[Source, int] = {}
        self._tidying, self._forgetting = _Turns(TIDY_S), _Turns(FORGET_S)
        self._retrying = _Turns(RETRY_S)
        self._memory: sqlite3.Connection | None = None
        self._db: sqlite3.Connection | None = None
        self._open()

    @property
    def in_memory(self) -> bool:
        """Whether the file cannot be written now."""
        return self._memory is not None

    def add(self, at: float, points: Sequence[Point]) -> None:
        """Keep one round of values, at ``at`` Unix seconds, as one transaction."""
        with self._lock:
            self._return()
            self._write(lambda db: self._add(db, at, points))

    def history(
        self, who: str | None, names: Sequence[str], since: float, until: float, points: int = 300
    ) -> Lines:
        """The series ``names`` of an instance, a model (all its instances), or the machine (None).

        ``since`` and ``until`` are Unix seconds; at most ``points`` for each series. Raises
        UsageError for names or times that make no sense.
        """
        known = ENGINE_SERIES if who else MACHINE_SERIES
        places = [_place(known, name) for name in names]
        drawn = span(since, until, points, self._interval_s)
        begins = max(since, self._now() - horizon(self._limits) - self._limits.ahead_s)
        with self._lock:
            rows = self._find(who, begins, until) if drawn.count else []
        coarsest = max((each.step_s for each in rows), default=self._interval_s)
        return draw(names, places, rows, span(since, until, points, coarsest))

    def close(self) -> None:
        """Write what is only in memory if that is possible now, and let go of the file."""
        with self._lock:
            self._retrying.at = 0.0
            self._return()
            for db in (self._db, self._memory):
                if db:
                    with suppress(sqlite3.Error):
                        db.close()
            self._db = self._memory = None

    # ── with the lock held ──────────────────────────────────────────────────────────────────

    def _add(self, db: sqlite3.Connection, at: float, points: Sequence[Point]) -> None:
        now = self._clock()
        add(db, at, points, self._ids)
        if self._tidying.come(now):
            tidy(db, self._now(), self._limits_of(db))
        if self._forgetting.come(now):
            forget_sources(db)
            self._ids.clear()

    def _limits_of(self, db: sqlite3.Connection) -> Limits:
        if db is not self._memory:
            return self._limits
        most = min(MEMORY_BYTES, self._limits.most_bytes)
        return Limits(self._limits.kept_s, most, self._limits.ahead_s)

    def _find(self, who: str | None, since: float, until: float) -> list[Stored]:
        found: list[Stored] = []
        for db in (self._db, self._memory):
            with suppress(sqlite3.Error):
                found += find(db, who, since, until) if db else []
        if self._interval_s <= Tier.RAW.step_s:
            return found
        return [each._replace(step_s=max(each.step_s, self._interval_s)) for each in found]

    def _write(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Do it in the file; in memory where the file fails."""
        if self._memory is None and self._db:
            try:
                transact(self._db, work)
            except sqlite3.Error as error:
                self._failed(error)
            else:
                return
        target = self._memory or self._db  # a broken file has been replaced by now
        if target:
            transact(target, work)

    def _failed(self, error: sqlite3.Error) -> None:
        fault = fault_of(error)
        if fault is None:  # a mistake of ours
            raise error
        self._ids.clear()
        if fault is Fault.BROKEN:
            self._renew(str(error))
        else:
            self._degrade(fault, error)

    def _open(self) -> None:
        try:
            self._db = opened(self._file)
        except sqlite3.Error as error:
            self._db = None
            self._failed(error)

    def _renew(self, why: str) -> None:
        """A new file; the old one, and no older one, is kept aside."""
        if self._db:
            with suppress(sqlite3.Error):
                self._db.close()
        self._db = None
        try:
            kept = put_aside(self._file)
            self._db = opened(self._file)
        except (OSError, sqlite3.Error) as error:
            self._degrade(Fault.UNREACHABLE, error)
            return
        self._say(
            "metrics.renewed",
            f"The history of figures was broken ({why}); it is kept as {kept}, a new one has begun",
            "Curves begin anew; nothing else depends on them.",
        )

    def _degrade(self, fault: Fault, error: Exception) -> None:
        self._retrying.at = self._clock() + RETRY_S
        if self._memory is not None:  # it has been told
            return
        self._memory = in_memory()
        self._say(
            "metrics.degraded",
            f"The history of figures {self._file} cannot be written ({error}); "
            "new figures are kept in memory alone",
            remedy(fault, self._file),
        )

    def _return(self) -> None:
        """Go back to the file if it is time and it can be: what is in memory is added to it."""
        if self._memory is None or not self._retrying.come(self._clock()):
            return
        memory = self._memory
        try:
            file = self._db or opened(self._file)
            self._db = file
            transact(file, lambda db: copy_rows(memory, db))
        except sqlite3.Error as error:
            if fault_of(error) is Fault.BROKEN:
                self._renew(str(error))
            return
        self._memory = None
        self._ids.clear()
        with closing(memory):
            self._say("metrics.restored", f"The history of figures {self._file} is written again")

    def _say(self, kind: str, message: str, hint: str | None = None) -> None:
        level = logging.INFO if kind == "metrics.restored" else logging.WARNING
        logger.log(level, "%s. %s", message, hint or "", extra={"action": kind})
        self._hear(Notice(kind, message, hint))


def _place(names: Sequence[str], name: str) -> int:
    try:
        return names.index(name)
    except ValueError:
        raise UsageError(
            f"There is no series {name!r}.", hint=f"There are: {', '.join(names)}."
        ) from None
