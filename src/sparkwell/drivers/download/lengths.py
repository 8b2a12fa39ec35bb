"""Whether tensor files are as long as their own headers say: no network, no checksum.

A file that was cut while it was copied is found in milliseconds; changed bytes are not.
"""

import json
from pathlib import Path

from sparkwell.catalog.safetensors_header import LENGTH_BYTES, MAX_HEADER_BYTES


def cut_files(snapshot: Path) -> tuple[str, ...]:
    """Names of the safetensors files that are shorter or longer than their headers say."""
    files = sorted(snapshot.glob("*.safetensors"))
    return tuple(path.name for path in files if declared_bytes(path) != path.stat().st_size)


def declared_bytes(file: Path) -> int | None:
    """How long a safetensors file has to be, by its header; None where the header is none."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(LENGTH_BYTES), "little")
        header = opened.read(min(length, MAX_HEADER_BYTES))
    try:
        ends = [
            int(entry["data_offsets"][1])
            for name, entry in json.loads(header).items()
            if name != "__metadata__"
        ]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return LENGTH_BYTES + length + max(ends, default=0)
