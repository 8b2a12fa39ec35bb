"""Snapshots as files: written whole and for this user alone, read again anywhere."""

import stat
import sys
from pathlib import Path

from sparkwell.app.diagnosing.foreign import harmless
from sparkwell.checks.snapshot import Snapshot, from_json, to_json
from sparkwell.core.errors import ConflictError, EnvironmentFault, UsageError
from sparkwell.core.whole_files import write_new, write_whole

STDIN = Path("-")
LARGEST_BYTES = 64_000_000
"""A snapshot of a host with ten long logs has some 10 MB."""


def save_snapshot(snapshot: Snapshot, file: Path, *, force: bool) -> int:
    """Write a snapshot, whole or not at all; returns its size in bytes.

    Raises ConflictError for a file that exists, unless ``force``, and EnvironmentFault where it
    cannot be written.
    """
    data = to_json(snapshot).encode()
    try:
        write_file(file, data, force=force)
    except FileExistsError:
        raise ConflictError(
            f"{file} exists already, and was not written over.",
            hint="Name another file, or give --force.",
        ) from None
    except OSError as error:
        raise EnvironmentFault(
            f"{file} cannot be written: {error.strerror or error}.",
            hint="Name a file in a folder that you may write to.",
        ) from None
    return len(data)


def saved_snapshot(file: Path) -> Snapshot:
    """The snapshot of a file, or of standard input for ``-``, with names that can be typed.

    Raises UsageError for a file that cannot be read, DocumentError for one that is no snapshot.
    """
    try:
        data = read_some(file)
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror or error}.",
            hint="--snapshot takes a file that `sparkwell doctor --save` has written.",
        ) from None
    if len(data) > LARGEST_BYTES:
        raise UsageError(
            f"{file} is larger than a snapshot can be ({LARGEST_BYTES // 1_000_000} MB).",
            hint="A log is read with --log.",
        )
    return harmless(from_json(data, str(file)))


def read_some(file: Path) -> bytes:
    """Up to a byte more than LARGEST_BYTES, so that one that is too large is known.

    Raises OSError, also for what is no file: a pipe would be waited for without an end.
    """
    if file == STDIN:
        return sys.stdin.buffer.read(LARGEST_BYTES + 1)
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError(0, "it is no file")
    with file.open("rb") as opened:
        return opened.read(LARGEST_BYTES + 1)


def write_file(file: Path, data: bytes, *, force: bool) -> None:
    """Write a file for this user alone, whole or not at all; raises OSError.

    FileExistsError where there is one, unless ``force``. A link is followed; what is no file
    (/dev/null) is never replaced by one.
    """
    file = file.resolve()
    if file.exists() and not file.is_file():
        raise OSError(0, "it is no file")
    write = write_whole if force else write_new
    write(file, data)
