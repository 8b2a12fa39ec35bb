"""Ends what a killed shim left behind, and writes the exit record that it could not write.

The shim's list can be some seconds old. So three things name a process as ours: it is on the
list with its start ticks; its output goes into the shim's pipe; or it descends from such a
process or shares its session. (Every session in the tree was opened inside the tree.)
"""

import asyncio
import os
import signal
import time
from collections.abc import Iterable, Mapping

from sparkwell.core.errors import EnvironmentFault
from sparkwell.drivers.process import records
from sparkwell.drivers.process.folder import InstanceFolder
from sparkwell.drivers.process.shim import files, proc
from sparkwell.drivers.process.shim.ending import LEFTOVER_GRACE_S
from sparkwell.drivers.process.shim.keeper import LAST_LINES
from sparkwell.drivers.process.shim.logfile import tail

LOOK_AGAIN_S = 0.05
GIVE_UP_S = 30.0


def survivors(
    table: Mapping[int, proc.Stat], listed: Iterable[proc.Identity], holders: Iterable[int]
) -> set[proc.Identity]:
    """Choose from ``table`` the live processes that belong to the instance. Pure."""
    alive = {pid: entry for pid, entry in table.items() if entry.alive}
    ours = {pid for pid, ticks in listed if pid in alive and alive[pid].start_ticks == ticks}
    ours |= {pid for pid in holders if pid in alive}
    while related := {pid for pid in alive.keys() - ours if _is_related(alive, pid, ours)}:
        ours |= related
    return {(pid, alive[pid].start_ticks) for pid in ours}


def _is_related(alive: Mapping[int, proc.Stat], pid: int, ours: set[int]) -> bool:
    sessions = {alive[one].session for one in ours}
    return alive[pid].parent in ours or alive[pid].session in sessions


async def settle(folder: InstanceFolder, *, requested: bool) -> bool:
    """End the remains and write the exit record; False when somebody else is at it.

    Raises EnvironmentFault when a process cannot be ended: then there is no record, and the
    next call tries again.
    """
    with folder.lock() as lock:
        if lock is None:
            return False
        if folder.exit() is None:
            seen = await _end(folder)
            _write_record(folder, requested=requested, ended_at=_when(folder, seen))
        return True


async def _end(folder: InstanceFolder) -> bool:
    """Ask, then kill, until a look finds nothing; returns whether there was anything."""
    began = time.monotonic()
    known: set[proc.Identity] = set()
    while found := _look(folder, known):
        elapsed = time.monotonic() - began
        if elapsed > GIVE_UP_S:
            raise EnvironmentFault(f"Processes of {folder.path.name} cannot be ended: {found}.")
        new = found - known
        known |= found
        _signal(new, signal.SIGTERM)
        if elapsed > LEFTOVER_GRACE_S:
            _signal(found, signal.SIGKILL)
        await asyncio.sleep(LOOK_AGAIN_S)
    return bool(known)


def _look(folder: InstanceFolder, known: set[proc.Identity]) -> set[proc.Identity]:
    table = proc.table()
    pipe = (folder.shim() or {}).get("output")
    holders = proc.holders(pipe, list(table)) if pipe else []
    return survivors(table, [*folder.listed(), *known], holders)


def _signal(identities: Iterable[proc.Identity], number: int) -> None:
    for identity in identities:
        try:
            if proc.is_alive(identity):
                os.kill(identity[0], number)
        except (ProcessLookupError, PermissionError):  # gone, or not ours to end: looked at again
            continue


def _when(folder: InstanceFolder, seen: bool) -> float:
    """Tell the time of the end: now, or when the instance last left a trace (a reboot)."""
    if seen:
        return time.time()
    traces = (folder.path / name for name in (files.LAUNCH, files.LOG, files.DESCENDANTS))
    return max((trace.stat().st_mtime for trace in traces if trace.exists()), default=time.time())


def _write_record(folder: InstanceFolder, *, requested: bool, ended_at: float) -> None:
    last_lines = tail(str(folder.path), LAST_LINES)
    record = records.unseen_end(requested=requested, ended_at=ended_at, last_lines=last_lines)
    try:
        files.write_json(str(folder.path / files.EXIT), record)
    except OSError as error:
        raise EnvironmentFault(
            f"{folder.path.name} has ended, but that cannot be written down: {error.strerror}.",
            hint="Make room on the disk that holds the state folder.",
        ) from error
