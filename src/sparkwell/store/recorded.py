"""Events read from the file, beside a daemon or without one."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.events import Event
from sparkwell.store.database import connected_for_reading, refuse_newer
from sparkwell.store.events import Events
from sparkwell.store.schema import MIGRATIONS, version


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: of those that are newer than ``after``, the newest ``limit`` (None: all).

    ``kinds`` are beginnings, any of them; ``since`` is Unix time in seconds.
    """

    after: int = 0
    limit: int | None = None
    kinds: Sequence[str] = ()
    model: str | None = None
    since: float | None = None

    def has(self, event: Event) -> bool:
        """Whether an event that came from elsewhere is one of them; ``limit`` aside."""
        return (
            event.seq > self.after
            and (not self.kinds or event.kind.startswith(tuple(self.kinds)))
            and self.model in (None, event.model)
            and (self.since is None or event.at >= self.since)
        )


@dataclass(frozen=True, slots=True)
class Recorded:
    """Events, oldest first, and the number of the newest that the file had, wanted or not."""

    events: tuple[Event, ...] = ()
    cursor: int = 0


def recorded(file: Path, wanted: Wanted) -> Recorded:
    """The events on disk; none without a file, or with one from before events were kept.

    Raises EnvironmentFault for a file that is locked, broken or of a newer Sparkwell.
    """
    if not file.exists():
        return Recorded()
    try:
        with closing(connected_for_reading(file)) as connection:
            refuse_newer(connection, file)
            if version(connection) < len(MIGRATIONS):
                return Recorded()
            return _read(connection, wanted)
    except sqlite3.Error as error:
        raise EnvironmentFault(
            f"The store {file} cannot be read: {error}.",
            hint="The next start of a daemon keeps a broken file aside and begins a new one.",
        ) from None


def _read(connection: sqlite3.Connection, wanted: Wanted) -> Recorded:
    connection.execute("BEGIN")  # one look for both: else the daemon may write in between
    events = Events(connection)
    cursor = events.last()
    found = events.newest(
        wanted.limit,
        after=wanted.after,
        kinds=wanted.kinds,
        model=wanted.model,
        since=wanted.since,
    )
    return Recorded(tuple(found), cursor)
