"""One daemon for each state folder: a file lock, which ends with its process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sparkwell.core.errors import ConflictError


def is_held(lock: Path) -> bool:
    """Whether a daemon lives for this state folder."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Be the only daemon of this state folder; raises ConflictError that names the other one."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 64, 0).decode(errors="replace").strip() or "unknown"
            raise ConflictError(
                f"A daemon is already running for {lock.parent} (process {holder}).",
                hint="`sparkwell status` shows what it does.",
            ) from None
        with suppress(OSError):  # a full disk: the lock holds, it only does not say whose it is
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
