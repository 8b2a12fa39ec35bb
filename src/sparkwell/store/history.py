"""How long each phase of a start took on this machine, and so how long the next one will."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from statistics import median

from sparkwell.core.launch import LaunchSpec
from sparkwell.core.phases import BEFORE_LAUNCH, Phase
from sparkwell.store.access import Source, using

RECENT = 5
KEPT = 50
"""Starts of one model, engine and version; those that skipped a phase let some more stay."""

_ADD = """
INSERT INTO phase_history (model, engine, engine_version, phase, seconds, ended_at)
VALUES (?, ?, ?, ?, ?, ?)
"""
_NEWEST_FIRST = """
SELECT phase, seconds FROM phase_history
WHERE model = ? AND engine = ? AND engine_version = ? ORDER BY id DESC LIMIT ?
"""
_LONGEST = """
SELECT phase, max(seconds) FROM phase_history
WHERE model = ? AND engine = ? AND engine_version = ? GROUP BY phase
"""
_FORGET_OLD = """
DELETE FROM phase_history WHERE model = ? AND engine = ? AND engine_version = ? AND id <= (
    SELECT id FROM phase_history WHERE model = ? AND engine = ? AND engine_version = ?
    ORDER BY id DESC LIMIT 1 OFFSET ?
)
"""
_ROWS = KEPT * (len(Phase) - len(BEFORE_LAUNCH))


class History:
    """Phase durations of past starts, by model and engine version."""

    def __init__(self, source: Source) -> None:
        self._db = using(source)

    def add(self, spec: LaunchSpec, durations: Mapping[Phase, float], ended_at: float) -> None:
        """Remember a start that became ready; ``durations`` and ``ended_at`` in seconds.

        What was fetched first is not remembered: the next start will find it. Old starts of this
        model, engine and version are forgotten: no more than ``KEPT`` with all phases stay.
        """
        start = (spec.model, spec.engine, spec.engine_version)
        taken = {phase: s for phase, s in durations.items() if phase not in BEFORE_LAUNCH}
        rows = [(*start, phase, max(0.0, s), ended_at) for phase, s in taken.items()]

        def work(db: sqlite3.Connection) -> None:
            db.executemany(_ADD, rows)
            db.execute(_FORGET_OLD, (*start, *start, _ROWS))

        self._db.write(work)

    def last(self, model: str, engine: str, version: str) -> dict[Phase, float]:
        """Seconds per phase, those of the newest start that had the phase."""
        limit = RECENT * len(Phase)
        rows = self._db.rows(_NEWEST_FIRST, (model, engine, version, limit))
        return {Phase(phase): took for phase, took in reversed(rows)}

    def longest(self, model: str, engine: str, version: str) -> dict[Phase, float]:
        """Seconds per phase, the most that any remembered start took; empty when there was none."""
        rows = self._db.rows(_LONGEST, (model, engine, version))
        return {Phase(phase): took for phase, took in rows}

    def expected(self, model: str, engine: str, version: str) -> dict[Phase, float]:
        """Seconds per phase, the median of the newest starts; empty when there was none."""
        limit = RECENT * len(Phase)
        rows = self._db.rows(_NEWEST_FIRST, (model, engine, version, limit))
        seconds: dict[Phase, list[float]] = defaultdict(list)
        for phase, took in rows:
            seconds[Phase(phase)].append(took)
        return {phase: median(took[:RECENT]) for phase, took in seconds.items()}
