"""File locks as huggingface_hub's: they end with their process, also when that is killed."""

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_S = 0.2
_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextmanager
def locked(file: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock; ``waiting`` is called several times a second while somebody else has it.

    The file stays behind, empty and free. On a file system that has no locks there is none.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _acquired(file, waiting)
    try:
        yield
    finally:
        os.close(descriptor)


def is_locked(file: Path) -> bool:
    """Whether a process holds the lock now."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _try(descriptor)
    finally:
        os.close(descriptor)


def _acquired(file: Path, waiting: Callable[[], None]) -> int:
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o664)
        kept = False
        try:
            kept = _try(descriptor) and _is_still(descriptor, file)
        finally:
            if not kept:
                os.close(descriptor)
        if kept:
            return descriptor
        waiting()
        time.sleep(POLL_S)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    return True


def _is_still(descriptor: int, file: Path) -> bool:
    """Whether the file that is locked is the one of that name: somebody may have removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False
