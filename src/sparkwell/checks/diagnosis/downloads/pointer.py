"""A file that only points to the weights, as Git LFS leaves it, read as if it were the weights."""

import re

from sparkwell.checks.logs.find import find, find_all
from sparkwell.checks.logs.parts import LogDigest, LogLine

_HEADER = re.compile(r", in parse_safetensors_file_metadata$")
_NO_MEMORY = re.compile(r"^MemoryError\b")
_FRAME = 6
"""Lines from a traceback's last frame to its error, at most."""


def pointer_read(log: LogDigest) -> LogLine | None:
    """The MemoryError of a header that was no header; None where there is none.

    The first eight bytes of a safetensors file are its header's length. Those of a text are a
    length that no machine has.
    """
    error = find(log, _NO_MEMORY)
    if error is None:
        return None
    frames = (each.line.number for each in find_all(log, _HEADER))
    near = any(0 < error.line.number - number <= _FRAME for number in frames)
    return error.line if near else None
