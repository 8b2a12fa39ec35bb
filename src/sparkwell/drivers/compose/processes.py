"""A container's processes as the host sees them: the engine's pid, and what is left.

Where /proc does not show them (Docker runs in a machine of its own) the answers are None and
nothing.
"""

from pathlib import Path

from sparkwell.drivers.process.shim import proc

_INIT = (b"docker-init", b"tini")


def engine_of(first: int) -> proc.Identity | None:
    """The engine's process, given the container's first one: its eldest child.

    None as long as docker-init has not executed it, and where it cannot be seen.
    """
    found = first if not _is_init(first) else _eldest(proc.children(first))
    ticks = proc.start_ticks(found) if found else None
    return (found, ticks) if found and ticks is not None else None


def in_container(identifier: str) -> list[int]:
    """The live processes of a container, by their control group."""
    needle = identifier.encode()
    pids = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return [pid for pid in pids if needle in _read(pid, "cgroup") and _is_alive(pid)]


def _eldest(children: list[int]) -> int | None:
    """Orphans become docker-init's children too, but later."""
    executed = [pid for pid in children if not _is_init(pid)]
    return min(executed, key=lambda pid: proc.start_ticks(pid) or 0, default=None)


def _is_init(pid: int) -> bool:
    """Whether it is docker-init; also its child, until that executes the engine."""
    command = _read(pid, "cmdline").partition(b"\0")[0]
    return not command or command.rpartition(b"/")[2] in _INIT


def _is_alive(pid: int) -> bool:
    found = proc.stat(pid)
    return found is not None and found.alive


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
