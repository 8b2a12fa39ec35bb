"""The tables of the history, and what is done with them over one connection.

A row is all values of one source at one moment; the key begins with the moment, so that every
round appends at the end of one table. docs/decisions/0021-samples-kept.md has the figures.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sparkwell.store.access import storable
from sparkwell.store.series_lines import Stored
from sparkwell.store.series_names import MACHINE, Point, Source
from sparkwell.store.series_plan import Fold, Limits, Tier, due
from sparkwell.store.series_rows import Row, fold, pack, pack_values, unpack

VERSION = 1
"""The schema's. A file of another one is not read: what is in it is not worth a migration."""

_TABLE = """
CREATE TABLE IF NOT EXISTS {tier} (
    at INTEGER NOT NULL, source INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (at, source)
) WITHOUT ROWID
"""  # at: Unix milliseconds
_SOURCES = """
CREATE TABLE IF NOT EXISTS sources (
    id INTEGER PRIMARY KEY, instance TEXT NOT NULL, model TEXT NOT NULL, UNIQUE (instance, model)
)
"""
# Only what no row names any more; all three tables are looked through, so not often.
_FORGET_SOURCES = """
DELETE FROM sources WHERE id NOT IN (
    SELECT source FROM raw UNION SELECT source FROM minutes UNION SELECT source FROM quarters
)
"""
_NAMED = "SELECT at, source, data, instance, model FROM {tier} JOIN sources ON id = source"
_FOLDS_AT_ONCE = 2


def create(db: sqlite3.Connection) -> None:
    """Make the tables of a new file; nothing where they are there."""
    if _one(db, "PRAGMA user_version") == VERSION:
        return
    statements = [_SOURCES, *(_TABLE.format(tier=tier) for tier in Tier)]
    db.executescript(f"BEGIN; {';'.join(statements)}; PRAGMA user_version = {VERSION}; COMMIT;")


def source_id(db: sqlite3.Connection, source: Source) -> int:
    """The number of a source; a new one for a new source."""
    names = (storable(source.instance), storable(source.model))
    db.execute("INSERT OR IGNORE INTO sources (instance, model) VALUES (?, ?)", names)
    return int(_one(db, "SELECT id FROM sources WHERE instance = ? AND model = ?", *names))


def add(db: sqlite3.Connection, at: float, points: Sequence[Point], ids: dict[Source, int]) -> None:
    """One round at ``at`` (Unix s); ``ids`` are the known numbers of sources, and gets new ones.

    A moment that is there already (the clock was set back) is written over.
    """
    for point in points:
        data = pack_values(point.source.names, point.values)
        if data is None:
            continue
        number = ids.get(point.source)
        if number is None:
            number = ids[point.source] = source_id(db, point.source)
        db.execute("INSERT OR REPLACE INTO raw VALUES (?, ?, ?)", (_ms(at), number, data))


def find(db: sqlite3.Connection, who: str | None, since: float, until: float) -> list[Stored]:
    """The rows of an instance, of all instances of a model, or (None) of the machine."""
    found: list[Stored] = []
    source = (who or MACHINE.instance, who or MACHINE.model)
    for tier in Tier:
        # What began before ``since`` may still stand for a part of the time after it.
        begins = since if tier is Tier.RAW else since - tier.step_s
        rows = db.execute(
            f"SELECT at, data FROM {tier} WHERE at >= ? AND at < ? AND source IN "  # noqa: S608
            "(SELECT id FROM sources WHERE instance = ? OR model = ?)",
            (_ms(begins), _ms(until), *source),
        )
        folded, step = tier is not Tier.RAW, tier.step_s
        for at, data in rows:
            means, peaks = unpack(data, folded=folded)
            found.append(Stored(at / 1000, step, means, peaks))
    return found


def tidy(db: sqlite3.Connection, now: float, limits: Limits) -> None:
    """Fold and forget what is due at ``now`` (Unix s), a little at a time."""
    for tier in Tier:
        db.execute(f"DELETE FROM {tier} WHERE at > ?", (_ms(now + limits.ahead_s),))  # noqa: S608
        for _ in range(_FOLDS_AT_ONCE):
            oldest = _one(db, f"SELECT min(at) FROM {tier}")  # noqa: S608
            at = None if oldest is None else oldest / 1000
            plan = due(tier, at, now, used_bytes(db), limits)
            if plan is None:
                break
            carry_out(db, plan)


def carry_out(db: sqlite3.Connection, plan: Fold) -> None:
    """Fold the rows into the next tier, and remove them."""
    between = (_ms(plan.since), _ms(plan.until))
    if plan.tier.into:
        for at, source, row in _folded(db, plan, plan.tier.into):
            db.execute(
                f"INSERT OR REPLACE INTO {plan.tier.into} VALUES (?, ?, ?)",  # noqa: S608
                (_ms(at), source, pack(row)),
            )
    db.execute(f"DELETE FROM {plan.tier} WHERE at >= ? AND at < ?", between)  # noqa: S608


def _folded(db: sqlite3.Connection, plan: Fold, into: Tier) -> list[tuple[float, int, Row]]:
    rows = db.execute(
        f"{_NAMED.format(tier=plan.tier)} WHERE at >= ? AND at < ?",
        (_ms(plan.since), _ms(plan.until)),
    )
    together: dict[tuple[float, int, Source], list[Row]] = defaultdict(list)
    for at, number, data, instance, model in rows:
        begins = at / 1000 // into.step_s * into.step_s
        row = unpack(data, folded=plan.tier is not Tier.RAW)
        together[begins, number, Source(instance, model)].append(row)
    return [
        (begins, number, fold(source.names, rows))
        for (begins, number, source), rows in together.items()
    ]


def forget_sources(db: sqlite3.Connection) -> None:
    """Remove the names of instances of which nothing is known any more."""
    db.execute(_FORGET_SOURCES)


def used_bytes(db: sqlite3.Connection) -> int:
    """What the rows take; pages that are free again do not count."""
    pages = _one(db, "PRAGMA page_count") - _one(db, "PRAGMA freelist_count")
    return int(pages * _one(db, "PRAGMA page_size"))


def copy_rows(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Add all rows of one database to another, as one transaction of the caller's."""
    ids: dict[int, int] = {}
    for number, instance, model in source.execute("SELECT id, instance, model FROM sources"):
        ids[number] = source_id(target, Source(instance, model))
    for tier in Tier:
        rows = source.execute(f"SELECT at, source, data FROM {tier}")  # noqa: S608
        target.executemany(
            f"INSERT OR REPLACE INTO {tier} VALUES (?, ?, ?)",  # noqa: S608
            ((at, ids[number], data) for at, number, data in rows),
        )


def _ms(at: float) -> int:
    return round(at * 1000)


def _one(db: sqlite3.Connection, sql: str, *values: object) -> Any:
    (found,) = db.execute(sql, values).fetchone()
    return found
