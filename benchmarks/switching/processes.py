"""What /proc says of processes: who belongs to a home, processor time, when one began and ended."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

TICKS_S = 1 / os.sysconf("SC_CLK_TCK")


def _fields(pid: int) -> list[str]:
    """Those of /proc/PID/stat after the name: field 3 is the first. Empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def processor_s(pid: int) -> float:
    """Processor time so far, with that of children that have ended; in steps of 10 ms.

    0 for one that is gone.
    """
    found = _fields(pid)
    return sum(int(each) for each in found[11:15]) * TICKS_S if found else 0.0


def threads_s(pid: int) -> float:
    """Processor time of the threads that live, to the nanosecond."""
    total = 0
    for each in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(each.read_text().split()[0])
        except OSError:
            continue
    return total / 1e9


def began_at(pid: int) -> float | None:
    """When a process was forked, in Unix seconds, to 10 ms; None when there is none."""
    found = _fields(pid)
    boot_at = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return boot_at + int(found[19]) * TICKS_S if found else None


def alive(pid: int) -> bool:
    """Whether it is there and no zombie."""
    found = _fields(pid)
    return bool(found) and found[0] not in "ZX"


def descendants(root: int) -> list[int]:
    """All that descend from a process, now."""
    parents = {pid: int(found[1]) for pid in every() if (found := _fields(pid))}
    below, level = [], {root}
    while level := {pid for pid, parent in parents.items() if parent in level}:
        below.extend(level)
    return below


def every() -> list[int]:
    """All processes."""
    return [int(each) for each in os.listdir("/proc") if each.isdigit()]  # noqa: PTH208 - names


def marked(words: Iterable[str]) -> list[int]:
    """The live processes that have one of these in their command line or environment."""
    wanted = [each.encode() for each in words]
    return [pid for pid in every() if pid != os.getpid() and _has(pid, wanted) and alive(pid)]


def _has(pid: int, wanted: list[bytes]) -> bool:
    try:
        folder = Path(f"/proc/{pid}")
        text = (folder / "cmdline").read_bytes() + b"\0" + (folder / "environ").read_bytes()
    except OSError:
        return False
    return any(each in text for each in wanted)


def memory_available_bytes() -> int:
    """MemAvailable."""
    text = Path("/proc/meminfo").read_text(encoding="ascii")
    return int(text.partition("MemAvailable:")[2].split()[0]) * 1024
