"""How many cores there are to compute with."""

import os

import psutil


def usable_cores() -> int | None:
    """The physical cores that this process may use; None where nothing says how many.

    Two threads of one core count once, since they share its vector units.
    """
    counts = [psutil.cpu_count(logical=False), _allowed()]
    return min((count for count in counts if count), default=None)


def _allowed() -> int | None:
    """The processors of this process's affinity; only Linux tells."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    return len(os.sched_getaffinity(0))
