"""What /proc says about memory and about a process, as values. Pure: text in, values out.

Whatever a kernel does not have is None. Sizes are bytes; stall times are microseconds.
"""

import re

KIB = 1024
# The order of the columns in a trace.
COLUMNS = (
    "at", "available", "free", "cached", "buffers", "reclaimable", "swap_free", "swap_total",
    "some_avg10", "full_avg10", "some_us", "full_us", "per_cpu",
)  # fmt: skip
MEMORY = {
    "available": b"MemAvailable",
    "free": b"MemFree",
    "cached": b"Cached",
    "buffers": b"Buffers",
    "reclaimable": b"SReclaimable",
    "swap_free": b"SwapFree",
    "swap_total": b"SwapTotal",
}

_ON_A_LIST = re.compile(rb"^\s+count:\s+(\d+)$", re.MULTILINE)


class Sample:
    """The memory of the machine at one moment of the monotonic clock.

    ``some_us`` and ``full_us`` are the sums of the time in which some or all tasks waited for
    memory, ``…_avg10`` the share of the last ten seconds in percent. Only ``available`` is
    always known. It is MemAvailable and ``per_cpu``: what processors keep for themselves.
    """

    __slots__ = COLUMNS

    def __init__(
        self,
        at: float,
        available: int,
        *,
        free: int | None = None,
        cached: int | None = None,
        buffers: int | None = None,
        reclaimable: int | None = None,
        swap_free: int | None = None,
        swap_total: int | None = None,
        some_avg10: float | None = None,
        full_avg10: float | None = None,
        some_us: int | None = None,
        full_us: int | None = None,
        per_cpu: int | None = None,
    ) -> None:
        self.at = at
        self.available = available
        self.free = free
        self.cached = cached
        self.buffers = buffers
        self.reclaimable = reclaimable
        self.swap_free = swap_free
        self.swap_total = swap_total
        self.some_avg10 = some_avg10
        self.full_avg10 = full_avg10
        self.some_us = some_us
        self.full_us = full_us
        self.per_cpu = per_cpu

    def row(self) -> list[int | float | None]:
        """Give the values in the order of ``COLUMNS``."""
        return [getattr(self, column) for column in COLUMNS]


def sample(
    at: float, meminfo: bytes, pressure: bytes | None, per_cpu: int | None = None
) -> Sample | None:
    """Make a sample of the two files; None when MemAvailable is not in the first."""
    lines = b"\n" + meminfo
    found = {name: _kib_value(lines, key) for name, key in MEMORY.items()}
    available = found.pop("available")
    if available is None:
        return None
    some, full = stalls(pressure or b"")
    return Sample(
        at, available + (per_cpu or 0), **found, per_cpu=per_cpu,
        some_avg10=some[0], some_us=some[1], full_avg10=full[0], full_us=full[1],
    )  # fmt: skip


def per_cpu_bytes(zoneinfo: bytes, page_bytes: int) -> int:
    """Add up the free pages on the processors' own lists, of /proc/zoneinfo.

    Linux counts them neither as free nor as available. Since 6.7 the lists grow to an eighth of
    all memory when a process frees much, and shrink by a few MiB a second.
    """
    return page_bytes * sum(map(int, _ON_A_LIST.findall(zoneinfo)))


def available_bytes(meminfo: bytes) -> int | None:
    """Read MemAvailable alone."""
    return _kib_value(b"\n" + meminfo, MEMORY["available"])


def total_bytes(meminfo: bytes) -> int | None:
    """Read how much memory the machine has."""
    return _kib_value(b"\n" + meminfo, b"MemTotal")


Stall = tuple[float | None, int | None]


def stalls(pressure: bytes) -> tuple[Stall, Stall]:
    """Read (avg10, total) of the line "some" and of the line "full"."""
    return _stall(pressure, b"some "), _stall(pressure, b"full ")


def parse_stat(text: bytes) -> tuple[bool, int, int] | None:
    """Read (alive, parent, start ticks) from /proc/PID/stat; a zombie is not alive."""
    fields = text[text.rfind(b")") + 2 :].split()
    try:
        return fields[0] not in (b"Z", b"X"), int(fields[1]), int(fields[19])
    except (IndexError, ValueError):
        return None


def _kib_value(lines: bytes, key: bytes) -> int | None:
    start = lines.find(b"\n" + key + b":")
    if start < 0:
        return None
    value = lines[start + len(key) + 2 :].split(None, 1)[0:1]
    return int(value[0]) * KIB if value and value[0].isdigit() else None


def _stall(text: bytes, name: bytes) -> Stall:
    start = text.find(name)
    if start < 0:
        return None, None
    line = text[start:].partition(b"\n")[0]
    values = dict(word.split(b"=", 1) for word in line.split() if b"=" in word)
    try:
        return float(values[b"avg10"]), int(values[b"total"])
    except (KeyError, ValueError):
        return None, None
