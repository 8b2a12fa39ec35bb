"""What keys used, by day and model."""

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from sparkwell.core.keys import UsageRow
from sparkwell.store.access import Source, storable, using

KEPT_DAYS = 400
KEPT_ROWS = 100_000
"""Days with many keys and models: of these the oldest are forgotten sooner."""

_ADD = """
INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (day, key_id, model) DO UPDATE SET
    requests = requests + excluded.requests,
    errors = errors + excluded.errors,
    prompt_tokens = prompt_tokens + excluded.prompt_tokens,
    output_tokens = output_tokens + excluded.output_tokens,
    uncounted = uncounted + excluded.uncounted
"""
_FORGET_OLD = "DELETE FROM usage WHERE day < date(?, ?)"
_FORGET_MANY = """
DELETE FROM usage
WHERE day < ? AND day <= (SELECT day FROM usage ORDER BY day DESC LIMIT 1 OFFSET ?)
"""
_ROWS = """
SELECT day, key_id, model, requests, errors, prompt_tokens, output_tokens, uncounted FROM usage
WHERE day >= ? AND model = coalesce(?, model)
"""
_LAST = "SELECT key_id, max(day) FROM usage GROUP BY key_id"


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Which rows: from the day ``since`` on (UTC, "2026-05-09"; "": all).

    Of a model, and of any of the keys in ``key_ids``; None means of all.
    """

    since: str = ""
    model: str | None = None
    key_ids: tuple[str, ...] | None = None


class UsageLog:
    """One row for each day, key and model; of KEPT_DAYS days."""

    def __init__(self, source: Source) -> None:
        self._db = using(source)

    def add(self, rows: Sequence[UsageRow]) -> None:
        """Add to what there is, in one transaction, and forget what is too old."""
        if not rows:
            return
        newest = max(row.day for row in rows)
        values = [_storable(row) for row in rows]

        def work(db: sqlite3.Connection) -> None:
            db.executemany(_ADD, values)
            db.execute(_FORGET_OLD, (newest, f"-{KEPT_DAYS} days"))
            db.execute(_FORGET_MANY, (newest, KEPT_ROWS))

        self._db.write(work)

    def rows(self, query: UsageQuery) -> list[UsageRow]:
        """What was used, oldest day first."""
        found = self._db.rows(f"{_ROWS} ORDER BY day, key_id, model", (query.since, query.model))
        rows = [UsageRow(*row) for row in found]
        return [row for row in rows if query.key_ids is None or row.key_id in query.key_ids]

    def last_days(self) -> dict[str, str]:
        """By key the last day on which it was used."""
        return dict(self._db.rows(_LAST))


def _storable(row: UsageRow) -> tuple[object, ...]:
    day, key_id, model, *counts = astuple(row)
    return (day, key_id, storable(model), *counts)
