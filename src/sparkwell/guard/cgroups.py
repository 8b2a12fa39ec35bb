"""One control group of a container: who is in it, and ending all of them. v2 and v1.

The folder is given. A group that this program is in itself is never touched.
"""
# ruff: noqa: PTH110, PTH112, PTH118, PTH208 - pathlib would cost the guard a megabyte

import contextlib
import os
from collections.abc import Iterator

PROCS = "cgroup.procs"
KILL = "cgroup.kill"  # v2, since Linux 5.14
FREEZER = "freezer.state"  # v1


def pids(folder: str) -> list[int]:
    """List the processes of the group and of those below it."""
    return [int(word) for each in _folders(folder) for word in read(f"{each}/{PROCS}").split()]


def is_usable(folder: str) -> bool:
    """Whether the group is there, and neither the root nor one that this process is in."""
    return os.path.exists(f"{folder}/{PROCS}") and os.getpid() not in pids(folder)


def may_kill(folder: str) -> bool:
    """Whether this user may end the whole group with one write."""
    return os.access(f"{folder}/{KILL}", os.W_OK)


def kill(folder: str) -> bool:
    """End the whole group at once; False where the kernel or the permissions do not allow it."""
    return may_kill(folder) and write(f"{folder}/{KILL}", "1")


@contextlib.contextmanager
def frozen(folder: str) -> Iterator[None]:
    """Keep the group from forking inside the block, where v1 allows it.

    Signals wait until its end; SIGKILL ends what is frozen as soon as it thaws.
    """
    path = f"{folder}/{FREEZER}"
    held = os.access(path, os.W_OK) and write(path, "FROZEN")
    try:
        yield
    finally:
        if held:
            write(path, "THAWED")


def read(path: str) -> str:
    """Read a small file; empty when it is gone."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(file, 1 << 20).decode("ascii", "replace")
    except OSError:
        return ""
    finally:
        os.close(file)


def write(path: str, text: str) -> bool:
    """Write a small file of the kernel's; False when it refuses."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.write(file, text.encode()) > 0
    except OSError:
        return False
    finally:
        os.close(file)


def _folders(folder: str) -> Iterator[str]:
    yield folder
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        below = os.path.join(folder, name)
        if os.path.isdir(below):
            yield from _folders(below)
