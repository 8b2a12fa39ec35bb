"""Whether the file at the store's path is still the one that is open, and whole.

SQLite does not ask: it goes on writing into a file that was deleted, and believes the pages that it
has in memory. What is written so is lost with the process.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sparkwell.store.database import BrokenError, check_pages

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_PATIENCE_S = 0.25

Identity = tuple[int, int] | None
"""Device and inode; None where there is no file, or nobody can tell."""


class InPlace:
    """The file under an open connection. To be made after the connection, and closed after it.

    It is looked at through a descriptor that stays open: to close one of a file gives up the locks
    that SQLite has on it in this process.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._log = file, file.with_name(f"{file.name}-wal")
        self._descriptor: int | None = None
        try:
            self._descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # then `prove` decides
            self._known: tuple[Identity, Identity] = (None, None)
        else:
            self._known = (_identity_of(os.fstat(self._descriptor)), _identity(self._log))

    @property
    def stands(self) -> bool:
        """Whether the file at the path is the one that is open; also where nobody can tell."""
        return self._known[0] in (None, _identity(self._file))

    def trouble(self) -> str | None:
        """What a glance finds wrong, a few system calls; None where it finds nothing."""
        try:
            found = _identity_of(self._file.stat())
        except FileNotFoundError:
            return "it is gone"
        except OSError:
            return None  # nobody can tell
        known, log = self._known
        if known is not None and found != known:
            return "another file is in its place"
        if log is not None and _identity(self._log) != log:
            return "its write-ahead log is gone"
        return self._damage()

    def prove(self) -> None:
        """See that another process would find a whole store there: reads every page.

        Raises sqlite3.Error; BrokenError where it would not.
        """
        if said := self.trouble():
            raise BrokenError(said)
        uri = f"{self._file.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE_S)) as fresh:
            check_pages(fresh)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _damage(self) -> str | None:
        if self._descriptor is None:
            return None
        try:
            header = os.pread(self._descriptor, _HEADER_BYTES, 0)
            size = os.fstat(self._descriptor).st_size
        except OSError:
            return None
        return damage(header, size)


def damage(header: bytes, size: int) -> str | None:
    """What is wrong with a file that begins so and has so many bytes; None where nothing is."""
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        return "its beginning is not that of a store"
    page = int.from_bytes(header[16:18], "big")
    page_bytes = 65_536 if page == 1 else page  # the format's own way to say it
    pages = int.from_bytes(header[28:32], "big")
    return "it is cut off" if size < pages * page_bytes else None


def _identity(file: Path) -> Identity:
    try:
        return _identity_of(file.stat())
    except OSError:
        return None


def _identity_of(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
