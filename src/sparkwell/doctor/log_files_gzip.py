"""Unpacks a log that was packed with gzip, as it comes; refuses what was packed otherwise."""

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

from sparkwell.core.errors import UsageError

_GZIP = b"\x1f\x8b"
_OTHERS = {
    b"\xfd7zXZ\x00": ("xz", "xz -dc"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd -dc"),
    b"BZh": ("bzip2", "bzip2 -dc"),
    b"PK\x03\x04": ("zip", "unzip -p"),
}
_AT_ONCE = 1 << 20
_AS_GZIP = 31
BROKEN = b"\nsparkwell: the packed log breaks off here; what came after it was not read.\n"


def is_gzip(start: bytes) -> bool:
    """Whether a file that begins so is packed with gzip."""
    return start.startswith(_GZIP)


def unpacked(chunks: Iterable[bytes], source: str) -> Iterator[bytes]:
    """The chunks, unpacked where they begin as gzip does; never more than 1 MiB at once.

    Raises UsageError for what another program packed, and for gzip of which nothing can be read.
    """
    chunks = iter(chunks)
    start = b""
    for chunk in chunks:
        start += chunk
        if len(start) >= max(map(len, _OTHERS)):
            break
    _refuse_others(start, source)
    everything = chain((start,) if start else (), chunks)
    return _gunzipped(everything, source) if is_gzip(start) else everything


def _refuse_others(start: bytes, source: str) -> None:
    for magic, (name, command) in _OTHERS.items():
        if start.startswith(magic):
            raise UsageError(
                f"{source} is packed with {name}.",
                hint=f"Unpack it on the way: {command} FILE | sparkwell doctor --log -",
            )


def _gunzipped(chunks: Iterable[bytes], source: str) -> Iterator[bytes]:
    """What the file holds; where it breaks off, a line that says so comes last."""
    came = False
    try:
        for piece in _members(chunks):
            came = came or bool(piece)
            yield piece
    except (zlib.error, EOFError) as error:
        if not came:
            raise UsageError(
                f"{source} begins as gzip does, but cannot be unpacked: {error}.",
                hint="Copy it again from where it came.",
            ) from None
        yield BROKEN


def _members(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """All members of the file; raises zlib.error, and EOFError where the last one has no end."""
    unpacking, begun = zlib.decompressobj(_AS_GZIP), False
    for chunk in chunks:
        packed = chunk if begun else chunk.lstrip(b"\0")
        while packed:
            begun = True
            yield unpacking.decompress(packed, _AT_ONCE)
            packed = unpacking.unconsumed_tail
            if unpacking.eof:  # another member follows, or zeros that fill the last block
                packed = unpacking.unused_data.lstrip(b"\0")
                unpacking, begun = zlib.decompressobj(_AS_GZIP), False
    yield unpacking.flush()
    if begun and not unpacking.eof:
        raise EOFError("it has no end")
