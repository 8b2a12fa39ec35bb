"""What /proc says: who descends from whom, and since when.

A process is named by (pid, start ticks): field 22 of /proc/PID/stat tells it from a later one
that got the same pid. Every function takes a process that vanishes meanwhile for granted.
"""
# ruff: noqa: PTH110, PTH115, PTH208 - pathlib would cost every shim a megabyte

import os
from collections.abc import Callable

Identity = tuple[int, int]


class Stat:
    """The fields of /proc/PID/stat that matter here."""

    __slots__ = ("parent", "session", "start_ticks", "state")

    def __init__(self, state: str, parent: int, session: int, start_ticks: int) -> None:
        self.state = state
        self.parent = parent
        self.session = session
        self.start_ticks = start_ticks

    @property
    def alive(self) -> bool:
        """False for a zombie: it holds no memory, no file and no lock any more."""
        return self.state not in "ZX"


def parse_stat(text: str) -> Stat:
    """Read one line of /proc/PID/stat; the program's name may hold blanks and brackets."""
    fields = text[text.rindex(")") + 2 :].split()
    return Stat(fields[0], int(fields[1]), int(fields[3]), int(fields[19]))


def stat(pid: int) -> Stat | None:
    """Look at one process, zombies included; None when there is none."""
    text = _read(f"/proc/{pid}/stat")
    return parse_stat(text) if text else None


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when there is none."""
    found = stat(pid)
    return found.start_ticks if found else None


def is_alive(identity: Identity) -> bool:
    """Whether that very process runs: not a later one with its pid, not a zombie."""
    found = stat(identity[0])
    return found is not None and found.alive and found.start_ticks == identity[1]


def boot_id() -> str:
    """Read the kernel's name for this boot; pids and ticks of another one mean nothing."""
    return _read("/proc/sys/kernel/random/boot_id").strip()


def table() -> dict[int, Stat]:
    """List every process of the machine, by pid. Costs about 10 µs of processor time a process."""
    found = ((int(name), stat(int(name))) for name in os.listdir("/proc") if name.isdigit())
    return {pid: entry for pid, entry in found if entry is not None}


def descendants(root: int) -> list[int]:
    """List all that descends from ``root``, parents first, zombies included.

    It is a snapshot without a lock: a process that forks or ends meanwhile may be missed, so
    whoever must be sure asks again until waitpid says that no child is left.
    """
    if HAS_CHILDREN_FILES:
        return _walk(root, children)
    by_parent = _children_by_parent(table())
    return _walk(root, lambda pid: by_parent.get(pid, []))


def children(pid: int) -> list[int]:
    """List a process's children, whichever of its threads forked them."""
    folder = f"/proc/{pid}/task"
    lists = (_read(f"{folder}/{tid}/children") for tid in _list(folder))
    return [int(child) for text in lists for child in text.split()]


def holders(pipe: str, pids: list[int]) -> list[int]:
    """Those of ``pids`` whose stdout or stderr is ``pipe`` (as in ``pipe:[4711]``)."""
    return [pid for pid in pids if pipe in (_link(f"/proc/{pid}/fd/{fd}") for fd in (1, 2))]


def _walk(root: int, children_of: Callable[[int], list[int]]) -> list[int]:
    found = [root]
    seen = {root}
    for pid in found:
        new = [child for child in children_of(pid) if child not in seen]
        found.extend(new)
        seen.update(new)
    return found[1:]


def _children_by_parent(processes: dict[int, Stat]) -> dict[int, list[int]]:
    by_parent: dict[int, list[int]] = {}
    for pid, entry in processes.items():
        by_parent.setdefault(entry.parent, []).append(pid)
    return by_parent


def _read(path: str) -> str:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(file, 65536).decode("utf-8", "replace")
    except OSError:  # ESRCH: it ended between open and read
        return ""
    finally:
        os.close(file)


def _list(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


# CONFIG_PROC_CHILDREN: nearly every distribution has it; without it the whole of /proc is read.
HAS_CHILDREN_FILES = os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
