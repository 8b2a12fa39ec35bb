"""What is held against models that failed, so that a restart of the daemon does not forget it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sparkwell.store.access import Row, Source, storable, using

KEPT_LINES = 200

# Of a row of failures the first one says why; those that follow are often its echo.
_SAVE = """
INSERT INTO breakers
    (model, failures, not_before, while_starting,
     first_reason, first_instance, first_lines, first_findings)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (model) DO UPDATE SET
    failures = excluded.failures,
    not_before = excluded.not_before,
    while_starting = excluded.while_starting,
    first_reason = iif(excluded.failures > 1, first_reason, excluded.first_reason),
    first_instance = iif(excluded.failures > 1, first_instance, excluded.first_instance),
    first_lines = iif(excluded.failures > 1, first_lines, excluded.first_lines),
    first_findings = iif(excluded.failures > 1, first_findings, excluded.first_findings)
"""
_LOAD = """
SELECT model, failures, not_before, first_reason, first_instance, first_lines, while_starting,
    first_findings
FROM breakers ORDER BY model
"""


@dataclass(frozen=True, slots=True)
class BreakerRow:
    """A model's row of failures. ``not_before`` is Unix time in seconds.

    ``first_lines`` are the last lines of the log of the first failed run, oldest first, and
    ``first_findings`` what was found to be its reason, as JSON objects.
    """

    model: str
    failures: int
    not_before: float
    first_reason: str
    first_instance: str
    first_lines: tuple[str, ...] = ()
    while_starting: bool = True
    first_findings: tuple[Mapping[str, object], ...] = ()


class Breakers:
    """One row for each model that failed and has not served well since."""

    def __init__(self, source: Source) -> None:
        self._db = using(source)

    def load(self) -> dict[str, BreakerRow]:
        """All rows, by model."""
        return {row[0]: _breaker(row) for row in self._db.rows(_LOAD)}

    def save(self, row: BreakerRow) -> None:
        """Keep a row. Of the second failure and later ones, what the first one said stays.

        Waits for the disk: a start that froze the machine must be known after the power cut.
        """
        lines = json.dumps(row.first_lines[-KEPT_LINES:])
        findings = storable(json.dumps(row.first_findings))
        first = (storable(row.first_reason), row.first_instance, lines, findings)
        values = (row.model, row.failures, row.not_before, row.while_starting, *first)
        self._db.write(lambda db: db.execute(_SAVE, values), durable=True)

    def clear(self, model: str) -> None:
        """Forget what was held against a model."""
        self._db.write(lambda db: db.execute("DELETE FROM breakers WHERE model = ?", (model,)))


def _breaker(row: Row) -> BreakerRow:
    *values, lines, while_starting, findings = row
    model, failures, not_before, reason, instance = values
    first = (reason, instance, tuple(json.loads(lines)))
    found = tuple(json.loads(findings))
    return BreakerRow(model, failures, not_before, *first, bool(while_starting), found)
