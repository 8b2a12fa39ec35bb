"""A blob on its way: bytes in order, their checksum so far, and the step to its final name."""

import os
from pathlib import Path
from types import TracebackType

from sparkwell.drivers.download.files import CHUNK_BYTES, RemoteFile, digest_for


class WrongChecksumError(Exception):
    """All bytes are there, and they are not the ones that the Hub lists."""


class TooLongError(Exception):
    """The server sends more bytes than the Hub lists."""


class Partial:
    """The file ``ETAG.incomplete``. What it has already is read once, for the checksum."""

    def __init__(self, path: Path, file: RemoteFile) -> None:
        self.path = path
        self.file = file
        self.length = 0
        self._digest = digest_for(file.etag, file.size_bytes)

    def __enter__(self) -> "Partial":
        """Open it and read what is there; one that is too long is begun again."""
        # Unbuffered: a process that is killed has written all that it has counted.
        self._opened = self.path.open("a+b", buffering=0)
        try:
            self._take_in()
        except BaseException:
            self._opened.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it; the bytes stay."""
        self._opened.close()

    @property
    def is_full(self) -> bool:
        """Whether all bytes are there."""
        return self.length == self.file.size_bytes

    def append(self, chunk: bytes) -> None:
        """Add bytes at the end; raises TooLongError where there are too many, and OSError."""
        if self.length + len(chunk) > self.file.size_bytes:
            self.restart()
            raise TooLongError
        view = memoryview(chunk)
        while view:
            written = self._opened.write(view)
            self._count(view[:written])
            view = view[written:]

    def restart(self) -> None:
        """Drop all bytes."""
        self._opened.truncate(0)
        self.length = 0
        self._digest = digest_for(self.file.etag, self.file.size_bytes)

    def finish(self, blob: Path) -> None:
        """Give the whole file its final name.

        Raises WrongChecksumError, and then removes it: its bytes help nobody.
        """
        if self._digest is not None and self._digest.hexdigest() != self.file.etag:
            self.path.unlink(missing_ok=True)
            raise WrongChecksumError
        os.fsync(self._opened.fileno())  # else a power cut can leave the name without the bytes
        self.path.replace(blob)

    def _take_in(self) -> None:
        if self.path.stat().st_size > self.file.size_bytes:
            self._opened.truncate(0)
        self._opened.seek(0)
        while chunk := self._opened.read(CHUNK_BYTES):
            self._count(chunk)

    def _count(self, chunk: bytes | memoryview) -> None:
        self.length += len(chunk)
        if self._digest is not None:
            self._digest.update(chunk)
