"""What the store remembers of failures, looked into without a daemon."""

import sqlite3
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sparkwell.store import BreakerRow
from sparkwell.store.breakers import Breakers
from sparkwell.store.database import reading
from sparkwell.store.restarts import Restarts

RECENT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is held against models, and how often each was started again in the last hour."""

    breakers: Mapping[str, BreakerRow] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)


def remembered(store: Path) -> Remembered:
    """What the store has; nothing where it has none, or is of another release.

    Raises sqlite3.Error for a file that is broken.
    """
    with reading(store) as db:
        return _of(db) if db else Remembered()


def _of(db: sqlite3.Connection) -> Remembered:
    recent = Restarts(db).since(time.time() - RECENT_S)
    return Remembered(Breakers(db).load(), Counter(each.model for each in recent))
