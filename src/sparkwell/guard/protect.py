"""Keeps the guard itself alive and awake: locked memory, spared by the OOM killer, nice.

What is not permitted is not done; ``protect`` says which, in words that a user can act on.
"""
# ruff: noqa: PTH123 - pathlib would cost the guard a megabyte

import contextlib
import ctypes
import os
import resource

MCL_CURRENT, MCL_FUTURE = 1, 2
M_ARENA_MAX = -8  # of glibc's malloc.h
CAP_IPC_LOCK = 14
ROOM_KIB = 64 * 1024  # the guard takes 15 MiB
NICER = -10
SPARED = "-1000"
OOM = "/proc/self/oom_score_adj"


class Protection:
    """What was permitted, and what was not, with the reason."""

    __slots__ = ("memory_locked", "oom_protected", "why_not")

    def __init__(self, *, memory_locked: bool, oom_protected: bool, why_not: list[str]) -> None:
        self.memory_locked = memory_locked
        self.oom_protected = oom_protected
        self.why_not = why_not


def protect() -> Protection:
    """Do all of it that is permitted."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICER)
    locked, spared = lock_memory(), spare_from_oom()
    return Protection(
        memory_locked=locked is None,
        oom_protected=spared is None,
        why_not=[reason for reason in (locked, spared) if reason],
    )


def lock_memory() -> str | None:
    """Keep every page in memory, those to come too; gives the reason why not, or None.

    One arena for malloc: the second thread's own would count as 64 MiB of locked memory. Under
    a limit that leaves no room to grow nothing is locked: memory would be refused later.
    """
    limit_kib = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] // 1024
    if 0 <= limit_kib < ROOM_KIB and not _has_capability(CAP_IPC_LOCK):
        return (
            f"memory is not locked (this user may lock {limit_kib} KiB): run the daemon as root, "
            "or with LimitMEMLOCK=64M in its service"
        )
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if hasattr(libc, "mallopt"):
            libc.mallopt(M_ARENA_MAX, 1)
        done = libc.mlockall(MCL_CURRENT | MCL_FUTURE) == 0
    except (OSError, AttributeError) as error:
        return f"memory is not locked: {error}"
    return None if done else f"memory is not locked: {os.strerror(ctypes.get_errno())}"


def spare_from_oom() -> str | None:
    """Ask the kernel's OOM killer to choose others; gives the reason why not, or None."""
    try:
        with open(OOM, "w", encoding="ascii") as file:
            file.write(SPARED)
    except OSError as error:
        return (
            f"the OOM killer may choose the guard ({error.strerror}; it takes CAP_SYS_RESOURCE): "
            f"sudo choom -n {SPARED} -p {os.getpid()}"
        )
    return None


def usage() -> dict[str, object]:
    """Measure this process: resident bytes now, processor seconds since its start."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    with open("/proc/self/statm", encoding="ascii") as file:
        resident = int(file.read().split()[1]) * resource.getpagesize()
    return {"rss_bytes": resident, "cpu_s": round(spent.ru_utime + spent.ru_stime, 4)}


def _has_capability(number: int) -> bool:
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        effective = file.read().partition("CapEff:")[2].split()[0]
    return bool(int(effective, 16) >> number & 1)
