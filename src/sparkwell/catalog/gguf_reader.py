"""Reads the numbers and texts of a GGUF header, little-endian, within limits."""

import struct
from typing import BinaryIO

from sparkwell.core.errors import DocumentError

# A vocabulary of 260,000 tokens with its merges makes a header of some 20 MB.
MAX_HEADER_BYTES = 64_000_000
LONGEST_NAME = 1024


class HeaderReader:
    """Takes bytes from a file, never past a limit; DocumentError where that would be needed."""

    def __init__(self, file: BinaryIO, limit: int, where: str) -> None:
        self._file, self._limit, self._where = file, limit, where
        self.position = 0

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        self._reserve(count)
        data = self._file.read(count)
        if len(data) < count:
            raise self._cut()
        return data

    def skip(self, count: int) -> None:
        """Go past ``count`` bytes without reading them."""
        self._reserve(count)
        self._file.seek(count, 1)

    def number(self, form: str) -> int:
        """The next little-endian number, of a format of struct's."""
        return int(struct.unpack("<" + form, self.take(struct.calcsize(form)))[0])

    def name(self) -> str:
        """A key or a tensor's name."""
        length = self.number("Q")
        if length > LONGEST_NAME:
            raise self.wrong(f"a name of {length:,} bytes")
        return self.take(length).decode("utf-8", errors="replace")

    def wrong(self, said: str) -> DocumentError:
        """The error that something is wrong here."""
        return DocumentError(f"{self._where}: byte {self.position:,}: {said}")

    def _reserve(self, count: int) -> None:
        if count > self._limit - self.position:
            raise self._cut()
        self.position += count

    def _cut(self) -> DocumentError:
        return DocumentError(
            f"{self._where}: this GGUF file is cut, or its header is not right: it goes on after "
            f"byte {self._limit:,}, which is {self._what()}.",
            hint="Download the file again.",
        )

    def _what(self) -> str:
        return "the most that is read" if self._limit == MAX_HEADER_BYTES else "its end"
