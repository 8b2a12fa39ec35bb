"""What happened: the events of all daemons of this state folder, the newest ones."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from sparkwell.core.events import Event
from sparkwell.store.access import Row, Source, storable, using

UNSTORED = frozenset({"instance.progress"})
"""Kinds of which there are many a minute, and the next one makes the last one worthless."""

KEPT = 20_000
KEPT_DAYS = 30
KEPT_ALWAYS = 1000
"""However old: what happened last is worth knowing, and a clock that jumped must not wipe it."""

PRUNE_EVERY = 500
PRUNE_AT_ONCE = 2000
_COUNTER = "events"

# "OR REPLACE": a number is given once, but an event must never be what ends a daemon.
_ADD = "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?)"
_RESERVE = "INSERT OR REPLACE INTO counters (name, value) VALUES (?, ?)"
_CURSOR = """
SELECT max(coalesce((SELECT max(seq) FROM events), 0), coalesce(max(value), 0))
FROM counters WHERE name = ?
"""
_PRUNE = """
DELETE FROM events WHERE seq IN (
    SELECT seq FROM events WHERE seq <= (SELECT seq FROM events ORDER BY seq DESC LIMIT 1 OFFSET ?)
    AND at < ? ORDER BY seq LIMIT ?
)
"""
_FOUND = (
    "SELECT seq, at, kind, message, model, instance, data FROM events WHERE seq > ? AND at >= ?"
)
_PAGE = "SELECT seq, at, kind, message, model, instance, data FROM events WHERE 1"
_DAY_S = 86_400.0
_ANY_TIME = float("-inf")


@dataclass(frozen=True, slots=True)
class EventPage:
    """Which events: older than ``before`` (None: the newest), at most ``limit`` of them.

    ``kind`` is how a kind begins, ``text`` a part of the message in any case; "" means all.
    """

    before: int | None = None
    limit: int = 100
    kind: str = ""
    model: str = ""
    text: str = ""

    def has(self, event: Event) -> bool:
        """Whether an event is one of them, the limit apart."""
        return (
            (self.before is None or event.seq < self.before)
            and event.kind.startswith(self.kind)
            and self.model in ("", event.model)
            and self.text.casefold() in event.message.casefold()
        )


class Events:
    """The events on disk: at most ``KEPT``, and beyond ``KEPT_ALWAYS`` none older than 30 days."""

    def __init__(self, source: Source) -> None:
        self._db = using(source)
        self._until_pruning = 0

    def add(self, events: Sequence[Event]) -> None:
        """Store them as one transaction, and forget old ones now and then."""
        rows = [_row(event) for event in events if event.kind not in UNSTORED]
        if not rows:
            return
        prune = self._until_pruning <= 0
        self._until_pruning = (PRUNE_EVERY if prune else self._until_pruning) - len(rows)

        def work(db: sqlite3.Connection) -> None:
            db.executemany(_ADD, rows)
            if prune:
                old = rows[-1][1] - KEPT_DAYS * _DAY_S
                db.execute(_PRUNE, (KEPT, float("inf"), PRUNE_AT_ONCE))
                db.execute(_PRUNE, (KEPT_ALWAYS, old, PRUNE_AT_ONCE))

        self._db.write(work)

    def reserve(self, seq: int) -> None:
        """Have the next daemon count from ``seq`` on: numbers below may have been given away."""
        self._db.write(lambda db: db.execute(_RESERVE, (_COUNTER, seq)))

    def cursor(self) -> int:
        """A number that is no less than that of any event so far; 0 before the first."""
        [(last,)] = self._db.rows(_CURSOR, (_COUNTER,))
        return int(last)

    def last(self) -> int:
        """The number of the newest event that is stored; 0 for none."""
        [(last,)] = self._db.rows("SELECT coalesce(max(seq), 0) FROM events")
        return int(last)

    def after(
        self,
        cursor: int = 0,
        limit: int | None = None,
        *,
        kinds: Sequence[str] = (),
        model: str | None = None,
        since: float | None = None,
    ) -> list[Event]:
        """The first ``limit`` events (None: all) that are newer than ``cursor``, oldest first.

        ``kinds`` are beginnings ("switch" for all of a switch), ``since`` is Unix time in seconds.
        """
        return self._found("ASC", cursor, limit, kinds, model, since)

    def newest(
        self,
        limit: int | None = None,
        *,
        after: int = 0,
        kinds: Sequence[str] = (),
        model: str | None = None,
        since: float | None = None,
    ) -> list[Event]:
        """The last ``limit`` events, oldest first; the rest as for ``after``."""
        return self._found("DESC", after, limit, kinds, model, since)[::-1]

    def page(self, wanted: EventPage) -> list[Event]:
        """A page of events, newest first."""
        sql, values = _PAGE, list[object]()
        if wanted.before is not None:
            sql, values = f"{sql} AND seq < ?", [*values, wanted.before]
        if wanted.kind:
            sql, values = f"{sql} AND substr(kind, 1, length(?)) = ?", [*values, *[wanted.kind] * 2]
        if wanted.model:
            sql, values = f"{sql} AND model = ?", [*values, wanted.model]
        if wanted.text:
            # Not LIKE: it would take % and _ for signs of its own. Of letters ASCII's alone fold.
            sql, values = f"{sql} AND instr(lower(message), lower(?))", [*values, wanted.text]
        rows = self._db.rows(f"{sql} ORDER BY seq DESC LIMIT ?", (*values, wanted.limit))
        return [_event(row) for row in rows]

    def _found(
        self,
        order: str,
        cursor: int,
        limit: int | None,
        kinds: Sequence[str],
        model: str | None,
        since: float | None,
    ) -> list[Event]:
        sql = _FOUND
        values: list[object] = [cursor, _ANY_TIME if since is None else since]
        if model is not None:
            sql += " AND model = ?"
            values.append(model)
        if kinds:
            alike = " OR ".join("substr(kind, 1, length(?)) = ?" for _ in kinds)
            sql += f" AND ({alike})"
            values += [each for kind in kinds for each in (kind, kind)]
        sql += f" ORDER BY seq {order} LIMIT ?"
        values.append(-1 if limit is None else limit)
        return [_event(row) for row in self._db.rows(sql, values)]


def _row(event: Event) -> Row:
    data = json.dumps(dict(event.data), separators=(",", ":"), default=str)
    texts = (storable(event.kind), storable(event.message))
    of = (text and storable(text) for text in (event.model, event.instance))
    return (event.seq, event.at, *texts, *of, data)


def _event(row: Row) -> Event:
    seq, at, kind, message, model, instance, data = row
    return Event(seq, at, kind, message, model, instance, json.loads(data))
