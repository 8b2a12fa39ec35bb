"""A file of a repository, and its checksum."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

CHUNK_BYTES = 4 * 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as the Hub lists it.

    ``etag`` is the name of its blob: the SHA-256 of a large file, git's SHA-1 of a small one. A
    mirror may have others, which cannot be checked.
    """

    name: str
    size_bytes: int
    etag: str


class Digest(Protocol):
    """A checksum that grows with the bytes."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take more bytes."""

    def hexdigest(self) -> str:
        """The checksum of all bytes so far."""


def is_checksum(etag: str) -> bool:
    """Whether a blob's name is a checksum of its content."""
    return bool(_SHA256.fullmatch(etag) or _GIT.fullmatch(etag))


def digest_for(etag: str, size_bytes: int) -> Digest | None:
    """A digest whose value has to be ``etag`` in the end; None where no checksum is known."""
    if _SHA256.fullmatch(etag):
        return hashlib.sha256()
    if _GIT.fullmatch(etag):  # as git names a blob: its kind and size come first
        return hashlib.sha1(b"blob %d\0" % size_bytes, usedforsecurity=False)
    return None


def matches(file: Path, etag: str) -> bool:
    """Read a file and compare its checksum; True where none is known. Raises OSError."""
    digest = digest_for(etag, file.stat().st_size)
    if digest is None:
        return True
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest() == etag
