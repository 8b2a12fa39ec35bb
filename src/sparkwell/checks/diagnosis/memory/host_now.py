"""The host's memory as it is now: near its floor, or waited for."""

from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.diagnosis.memory.host_about import ABOUT
from sparkwell.checks.diagnosis.memory.words import WHO
from sparkwell.checks.engines import how_to_end, line, others
from sparkwell.checks.run_parts import MemoryReading
from sparkwell.checks.say import gib
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_NEAR, _STALLED = 1.25, 0.1
_HOUR_S = 3600.0


def now_low(snapshot: Snapshot) -> Iterator[Finding]:
    """Available memory against the floor; without a floor there is nothing to measure it by."""
    newest, floor = _newest(snapshot), _floor_bytes(snapshot)
    if newest.available_bytes is not None and floor and not _told_by_box(snapshot):
        if newest.available_bytes < floor:
            yield _low(snapshot, newest.available_bytes, floor, Severity.ERROR)
            return
        if newest.available_bytes < _NEAR * floor:
            yield _low(snapshot, newest.available_bytes, floor, Severity.WARNING)
            return
    if newest.pressure is not None and newest.pressure >= _STALLED:
        yield _stalled(snapshot, newest.pressure)


def _low(snapshot: Snapshot, available: int, floor: int, severity: Severity) -> Finding:
    below = "below its floor" if severity is Severity.ERROR else "near its floor"
    return replace(
        ABOUT.finding(
            f"{gib(available)} available, floor {gib(floor)}", *_lowest(snapshot, available),
            *map(line, others(snapshot, None)),
        ),
        severity=severity,
        title=f"The host's memory is {below}: {gib(available)} are available",
        cause="Under the floor the memory guard ends the newest engine; without it the host may "
        "hang where GPU and system share the memory.",
        remedies=_room_now(snapshot),
    )  # fmt: skip


def _stalled(snapshot: Snapshot, pressure: float) -> Finding:
    return replace(
        ABOUT.finding(f"memory pressure (PSI full, 10 s): {100 * pressure:.0f}%"),
        severity=Severity.WARNING,
        title=f"Processes wait for memory {100 * pressure:.0f}% of the time",
        cause="The kernel takes pages back while others wait for them; answers are slow.",
        remedies=_room_now(snapshot),
    )


def _room_now(snapshot: Snapshot) -> tuple[Remedy, ...]:
    engines = others(snapshot, None)
    return tuple(map(how_to_end, engines)) or (WHO,)


def _lowest(snapshot: Snapshot, now: int) -> tuple[str, ...]:
    """The lowest point of the last hour, where it was lower than it is now."""
    recent = [each for each in snapshot.memory or () if snapshot.taken_at - each.at <= _HOUR_S]
    known = [each for each in recent if each.available_bytes is not None]
    lowest = min(known, key=lambda each: each.available_bytes or 0, default=None)
    if lowest is None or lowest.available_bytes is None or lowest.available_bytes >= now:
        return ()
    ago = (snapshot.taken_at - lowest.at) / 60
    return (f"lowest of the last hour: {gib(lowest.available_bytes)}, {ago:.0f} minutes ago",)


def _newest(snapshot: Snapshot) -> MemoryReading:
    """The newest reading, with what the system says where there is none."""
    system = snapshot.system.memory if snapshot.system else None
    fallback = MemoryReading(snapshot.taken_at, system.available_bytes if system else None)
    return snapshot.memory[-1] if snapshot.memory else fallback


def _floor_bytes(snapshot: Snapshot) -> int | None:
    if snapshot.box and snapshot.box.floor_bytes:
        return snapshot.box.floor_bytes
    return snapshot.machine.floor_bytes if snapshot.machine else None


def _told_by_box(snapshot: Snapshot) -> bool:
    """Whether checks/box.py says already that the memory is under the floor."""
    box = snapshot.box
    if box is None or box.available_bytes is None or box.floor_bytes is None:
        return False
    return box.available_bytes < box.floor_bytes
