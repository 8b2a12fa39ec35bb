"""What starts took of the memory, by machine, model, engine version and flags."""

import json
import sqlite3
from dataclasses import astuple, dataclass, replace
from typing import Any

from sparkwell.catalog.recipe import FlagValue
from sparkwell.store.access import Source, using

KEPT_ALIKE = 10
KEPT_IN_ALL = 2000

# An instance is one start: seen again (after its daemon was replaced), it is not counted twice.
_ADD = """
INSERT INTO starts (
    instance, machine, total_bytes, model, repo, revision, engine, engine_version, device, flags,
    weights_bytes, kv_cache_bytes, kv_cache_tokens, graphs_bytes, at, warm, from_metrics
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (instance) DO NOTHING
"""
_FORGET_ALIKE = """
DELETE FROM starts WHERE id IN (
    SELECT id FROM starts
    WHERE machine = ? AND model = ? AND engine = ? AND engine_version = ? AND flags = ?
    ORDER BY id DESC LIMIT -1 OFFSET ?
)
"""
_FORGET_OLD = "DELETE FROM starts WHERE id <= (SELECT max(id) FROM starts) - ?"
_LIKE = """
SELECT
    instance, machine, total_bytes, model, repo, revision, engine, engine_version, device, flags,
    weights_bytes, kv_cache_bytes, kv_cache_tokens, graphs_bytes, at, warm, from_metrics
FROM starts
WHERE machine = ? AND model = ? AND engine = ? AND engine_version = ? AND flags = coalesce(?, flags)
ORDER BY id DESC LIMIT ?
"""
_NEWEST = 100


@dataclass(frozen=True, slots=True)
class StartRecord:
    """What one start took on one device, as the engine itself said; None where it did not say.

    ``machine`` names the machine and its memory, ``total_bytes`` is what the engine saw of it.
    ``flags`` are those that memory depends on, as JSON with sorted names.

    Sizes in bytes come from a log: GiB with two decimals, so right to 5 MiB (vLLM up to 0.13
    gives weights with four). ``kv_cache_tokens`` are the engine's whole blocks where
    ``from_metrics``; else the figure of the log, which some versions round down to a share of
    the longest context. ``graphs_bytes`` is what the CUDA graphs took in the end.
    ``at`` is Unix time in seconds. ``warm`` says that compiled code of an earlier start was used.
    """

    instance: str
    machine: str
    total_bytes: int
    model: str
    repo: str | None
    revision: str | None
    engine: str
    engine_version: str
    device: str
    flags: str
    weights_bytes: int | None
    kv_cache_bytes: int | None
    kv_cache_tokens: int | None
    graphs_bytes: int | None
    at: float
    warm: bool | None = None
    from_metrics: bool = False

    @property
    def flag_values(self) -> dict[str, FlagValue]:
        """The flags by name; raises ValueError where the stored text is no JSON object."""
        values = json.loads(self.flags)
        if not isinstance(values, dict):
            raise ValueError(f"flags of {self.instance} are no object")
        return values


class Starts:
    """The newest starts of each kind."""

    def __init__(self, source: Source) -> None:
        self._db = using(source)

    def add(self, record: StartRecord) -> None:
        """Remember a start, once, and forget what is too old; raises sqlite3.Error."""

        def work(db: sqlite3.Connection) -> None:
            db.execute(_ADD, astuple(record))
            db.execute(_FORGET_ALIKE, (*_kind(record), record.flags, KEPT_ALIKE))
            db.execute(_FORGET_OLD, (KEPT_IN_ALL,))

        self._db.write(work)

    def like(
        self, machine: str, model: str, engine: str, version: str, flags: str | None = None
    ) -> tuple[StartRecord, ...]:
        """Starts of the same kind, newest first; of any flags where they are None.

        Raises sqlite3.Error.
        """
        rows = self._db.rows(_LIKE, (machine, model, engine, version, flags, _NEWEST))
        return tuple(_record(row) for row in rows)


def _kind(record: StartRecord) -> tuple[str, str, str, str]:
    return (record.machine, record.model, record.engine, record.engine_version)


def _record(row: tuple[Any, ...]) -> StartRecord:
    read = StartRecord(*row)  # SQLite has no truth values: 0 and 1
    warm = None if read.warm is None else bool(read.warm)
    return replace(read, warm=warm, from_metrics=bool(read.from_metrics))
