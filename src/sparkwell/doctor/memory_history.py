"""The machine's memory over the last hour, from the daemon's history, and as it is now."""

import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from sparkwell.checks.run_parts import MemoryReading
from sparkwell.hardware.parse import parse_meminfo
from sparkwell.hardware.sampling import read_text
from sparkwell.hardware.usage import stalled_share, swap_used_bytes
from sparkwell.store.database import connected_for_reading
from sparkwell.store.series_lines import Lines, draw, span
from sparkwell.store.series_names import MACHINE_SERIES
from sparkwell.store.series_tables import find

HOUR_S = 3600.0
MOST = 240
_NAMES = ("available_bytes", "swap_used_bytes", "memory_stalled")
_STEP_S = 5.0


def memory_of_last_hour(file: Path, now: float) -> tuple[MemoryReading, ...]:
    """The history up to ``now`` (Unix s), and one reading of this moment, which comes last.

    Without a history that can be read, this moment alone. Nothing is written.
    """
    past: tuple[MemoryReading, ...] = ()
    with suppress(sqlite3.Error):
        past = _past(file, now) if file.is_file() else ()
    return (*past, memory_now())


def memory_now() -> MemoryReading:
    """The memory as the kernel tells it now."""
    facts = parse_meminfo(read_text("/proc/meminfo"))
    stalled = stalled_share(read_text("/proc/pressure/memory"))
    return MemoryReading(time.time(), facts.available_bytes, swap_used_bytes(facts), stalled)


def _past(file: Path, now: float) -> tuple[MemoryReading, ...]:
    since = now - HOUR_S
    with closing(connected_for_reading(file)) as db:
        rows = find(db, None, since, now)
    places = [MACHINE_SERIES.index(name) for name in _NAMES]
    coarsest = max((each.step_s for each in rows), default=_STEP_S)
    return _readings(draw(_NAMES, places, rows, span(since, now, MOST, coarsest)))


def _readings(lines: Lines) -> tuple[MemoryReading, ...]:
    """The peaks of each interval: the lowest of what was available, the highest of the others."""
    drawn = zip(lines.at, *(lines.peaks[name] for name in _NAMES), strict=True)
    return tuple(
        MemoryReading(at, _whole(available), _whole(swap), stalled)
        for at, available, swap, stalled in drawn
        if (available, swap, stalled) != (None, None, None)
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
