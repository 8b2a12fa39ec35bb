"""What is about to be done to the machine, written down before it is done."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sparkwell.store.access import Row, Source, storable, using

KEPT = 1000
PRUNE_EVERY = 100

_BEGIN = """
INSERT INTO intents (begun_at, boot_id, kind, model, instance, data) VALUES (?, ?, ?, ?, ?, ?)
"""
_FINISH = "UPDATE intents SET ended_at = ?, outcome = ? WHERE id = ? AND outcome IS NULL"
_OPEN = """
SELECT id, kind, model, instance, data, begun_at, boot_id
FROM intents WHERE outcome IS NULL ORDER BY id
"""
_LOADS_MEMORY = frozenset({"start", "wake"})
"""What may take the machine down with it: for these the disk is waited for."""
_PRUNE = "DELETE FROM intents WHERE outcome IS NOT NULL AND id <= ?"


@dataclass(frozen=True, slots=True)
class Intent:
    """An effect that was begun and not finished: ``kind`` is start, stop, sleep, wake, switch.

    ``begun_at`` is Unix time in seconds, ``boot_id`` that of the boot of then, None
    where it has none.
    """

    id: int
    kind: str
    model: str | None
    instance: str | None
    data: Mapping[str, object] = field(default_factory=dict)
    begun_at: float = 0.0
    boot_id: str | None = None

    def is_of_another_boot(self, boot_id: str | None) -> bool:
        """Whether the machine has been booted since; not where that cannot be told."""
        return None not in (self.boot_id, boot_id) and self.boot_id != boot_id

    @property
    def loads_memory(self) -> bool:
        """Whether a model was just being brought into memory: on a start, or on waking."""
        return self.kind in _LOADS_MEMORY


class Intents:
    """The intent journal: ``begin`` has returned before the effect begins.

    A daemon that is killed in between leaves the intent open, and the next one finds it. A power
    cut can take the newest intents with it, but no start and no waking: those may be what took the
    machine down. It also ends every engine, so the others would then tell nothing: what to bring
    back after it is among the residents. ``boot_id`` is that of this boot, None where it has none.

    The newest ``KEPT`` are kept to be looked at. Open ones are always kept.
    """

    def __init__(
        self, source: Source, now: Callable[[], float], boot_id: str | None = None
    ) -> None:
        self._db = using(source)
        self._now = now
        self._boot_id = boot_id

    def begin(
        self,
        kind: str,
        model: str | None = None,
        instance: str | None = None,
        data: Mapping[str, object] | None = None,
    ) -> int:
        """Write down, now and for good, that something is about to be done; its number."""
        texts = (text and storable(text) for text in (kind, model, instance))
        row = (self._now(), self._boot_id, *texts, json.dumps(dict(data or {}), default=str))

        def work(db: sqlite3.Connection) -> int:
            number = db.execute(_BEGIN, row).lastrowid or 0
            if number % PRUNE_EVERY == 0:
                db.execute(_PRUNE, (number - KEPT,))
            return number

        return self._db.write(work, durable=kind in _LOADS_MEMORY)

    def finish(self, intent: int, outcome: str) -> None:
        """Write down how it ended ("done", "rolled back", …); only what is said first counts."""
        row = (self._now(), storable(outcome), intent)
        self._db.write(lambda db: db.execute(_FINISH, row))

    def open(self) -> list[Intent]:
        """Those that were begun and not finished, oldest first."""
        return [_intent(row) for row in self._db.rows(_OPEN)]


def _intent(row: Row) -> Intent:
    number, kind, model, instance, data, begun_at, boot_id = row
    return Intent(number, kind, model, instance, json.loads(data), begun_at, boot_id)
