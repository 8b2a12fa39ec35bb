"""How long each phase of a start took on this machine, and so how long the next one will."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from statistics import median

from sparkwell.core.launch import LaunchSpec
from sparkwell.core.phases import BEFORE_LAUNCH, Phase

RECENT = 5

_ADD = """
INSERT INTO phase_history (model, engine, engine_version, phase, seconds, ended_at)
VALUES (?, ?, ?, ?, ?, ?)
"""
_NEWEST_FIRST = """
SELECT phase, seconds FROM phase_history
WHERE model = ? AND engine = ? AND engine_version = ? ORDER BY id DESC LIMIT ?
"""


class History:
    """Phase durations of past starts, by model and engine version."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add(self, spec: LaunchSpec, durations: Mapping[Phase, float], ended_at: float) -> None:
        """Remember a start that became ready; ``durations`` and ``ended_at`` in seconds.

        What was fetched first is not remembered: the next start will find it.
        """
        start = (spec.model, spec.engine, spec.engine_version)
        taken = {phase: s for phase, s in durations.items() if phase not in BEFORE_LAUNCH}
        rows = [(*start, phase, max(0.0, s), ended_at) for phase, s in taken.items()]
        with self._db:  # commits, or rolls back: an open transaction would block the next one
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(_ADD, rows)

    def expected(self, model: str, engine: str, version: str) -> dict[Phase, float]:
        """Seconds per phase, the median of the newest starts; empty when there was none."""
        limit = RECENT * len(Phase)
        rows = self._db.execute(_NEWEST_FIRST, (model, engine, version, limit))
        seconds: dict[Phase, list[float]] = defaultdict(list)
        for phase, took in rows:
            seconds[Phase(phase)].append(took)
        return {phase: median(took[:RECENT]) for phase, took in seconds.items()}
