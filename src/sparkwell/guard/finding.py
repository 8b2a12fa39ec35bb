"""From an engine's pid to all that ends with it: its shim, or its container's control group."""

import re
from dataclasses import dataclass
from os import sysconf
from pathlib import Path

from . import ending, proc

SHIM = b"drivers/process/shim"
_CONTAINER = re.compile(r"/(?:[^/]+/)*[^/]*[0-9a-f]{64}[^/]*")


@dataclass(frozen=True, slots=True)
class Target:
    """An instance that the guard may end, as the daemon names it; see ``judge.Target``.

    ``started_at`` tells the newest start: seconds since boot, which no clock jump changes.
    """

    instance: str
    model: str
    started_at: float
    pid: int | None = None
    start_ticks: int | None = None
    keeper: int | None = None
    keeper_ticks: int | None = None
    cgroup: str | None = None


def find_target(
    instance: str, model: str, pid: int | None, start_ticks: int | None,
    started_at: float | None = None,
) -> Target:  # fmt: skip
    """Look up what belongs to an engine's first process.

    Without ``started_at`` the process's own start counts. Give ``time.clock_gettime(
    time.CLOCK_BOOTTIME)`` for a model that was woken. What is not found is None; without a pid
    there is nothing that the guard could end.
    """
    if pid is None or start_ticks is None:
        return Target(instance, model, started_at or 0.0)
    keeper = shim_of(pid)
    return Target(
        instance, model,
        start_ticks / sysconf("SC_CLK_TCK") if started_at is None else started_at,
        pid=pid, start_ticks=start_ticks,
        keeper=keeper, keeper_ticks=ending.start_ticks(keeper) if keeper else None,
        cgroup=container_of(pid),
    )  # fmt: skip


def shim_of(pid: int) -> int | None:
    """Find the shim that keeps a process: its parent, known by the program it runs."""
    found = proc.parse_stat(_read(f"/proc/{pid}/stat"))
    if found is None:
        return None
    words = _read(f"/proc/{found[1]}/cmdline").split(b"\0")
    return found[1] if any(word.endswith(SHIM) for word in words) else None


def container_of(pid: int) -> str | None:
    """Find the control group of a process's container; None outside one, or in our own."""
    mounts = _read("/proc/self/mountinfo").decode()
    theirs = container_cgroup(_read(f"/proc/{pid}/cgroup").decode(), mounts)
    ours = container_cgroup(_read("/proc/self/cgroup").decode(), mounts)
    return theirs if theirs != ours and theirs and Path(theirs).is_dir() else None


def container_cgroup(cgroups: str, mountinfo: str) -> str | None:
    """Find the folder of the group that is named after a container: v2's, else v1's freezer.

    Of /proc/PID/cgroup and /proc/PID/mountinfo. Pure.
    """
    mounts = _mounts(mountinfo)
    entries = [line.split(":", 2) for line in cgroups.splitlines() if line.count(":") >= 2]
    for wanted in ("", "freezer"):
        for _, controllers, path in entries:
            named = _CONTAINER.match(path)
            if named and wanted in controllers.split(",") and wanted in mounts:
                return mounts[wanted] + named[0]
    return None


def _mounts(mountinfo: str) -> dict[str, str]:
    """Where each v1 controller is mounted, and v2 under the name ""."""
    found: dict[str, str] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        kind, *rest = after.split()
        point = before.split()[4]
        if kind == "cgroup2":
            found.setdefault("", point)
        elif kind == "cgroup":
            found |= dict.fromkeys(rest[-1].split(","), point)
    return found


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
