"""Bytes of a log as blocks of whole lines, of which none is long. Pure.

What comes of it does not depend on where the chunks were cut.
"""

import codecs
from collections.abc import Iterable, Iterator

BLOCK = 256 * 1024
"""Bytes of a block at most, but for a rest of a line."""
HEAD = 16 * 1024
"""Bytes that are kept of a line's beginning: more than is ever shown."""
TAIL = 4 * 1024
"""Bytes that are kept of its end: a progress bar's last state."""
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Whole lines in UTF-8; only the last block may end without a line feed."""
    rest = b""
    for chunk in _decoded(_pieces(chunks)):
        cut = chunk.rfind(b"\n") + 1
        if cut:
            yield rest + chunk[:cut]
            rest = b""
        rest = shortened(rest + chunk[cut:])
    if rest:
        yield rest


def shortened(line: bytes) -> bytes:
    """A line's beginning and end; without the zeros that a log cut by copytruncate begins with."""
    line = line.lstrip(b"\0")
    return line if len(line) <= HEAD + TAIL else line[:HEAD] + line[-TAIL:]


def last_state(line: bytes) -> bytes:
    """What a terminal would show of a line in which carriage returns took it back to its start.

    Of a long line the beginning, unless its end has another state.
    """
    if b"\r" not in line and len(line) <= HEAD and line[:1] != b"\0":
        return line
    line = shortened(line).rstrip(b"\r")
    if len(line) > HEAD and b"\r" not in line[HEAD:]:
        line = line[:HEAD]
    if b"\r" not in line:
        return line
    return next((state for state in reversed(line.split(b"\r")) if state.strip()), b"")


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Chunks that are neither small nor large."""
    small: list[bytes] = []
    held = 0
    for chunk in chunks:
        small.append(chunk)
        held += len(chunk)
        if held >= BLOCK // 4:
            yield from _parts(b"".join(small))
            small, held = [], 0
    yield b"".join(small)


def _parts(chunk: bytes) -> Iterator[bytes]:
    for start in range(0, len(chunk), BLOCK):
        yield chunk[start : start + BLOCK]


def _decoded(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """As UTF-8 what a byte order mark says is UTF-16: what a redirect writes on Windows."""
    start = b""
    for piece in pieces:
        start += piece
        if len(start) >= len(codecs.BOM_UTF8):
            break
    if not start.startswith(_UTF16):
        yield start.removeprefix(codecs.BOM_UTF8)
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder("utf-16")(errors="replace")
    yield decoder.decode(start).encode(errors="replace")
    for piece in pieces:
        yield decoder.decode(piece).encode(errors="replace")
    yield decoder.decode(b"", final=True).encode(errors="replace")
