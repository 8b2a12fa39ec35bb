"""What was answered and what failed, in two files that only ever hold whole lines.

They are the whole memory of a batch: who goes on with one reads from them what is left to do. A
line that was being written when the power failed, or the disk was full, is taken off again.
"""

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from sparkwell.core.errors import ConflictError, UsageError


class _Entry(msgspec.Struct):
    custom_id: str


_ENTRY = msgspec.json.Decoder(_Entry)


class Ledger:
    """The two files while they are open. ``done`` are the custom_ids that have an answer."""

    def __init__(self, answers: BinaryIO, failures: BinaryIO, done: frozenset[str]) -> None:
        self._answers, self._failures = answers, failures
        self.done = done

    def answered(self, line: bytes) -> None:
        """Keep an answer. Raises OSError where the disk is full."""
        _append(self._answers, line)

    def failed(self, line: bytes) -> None:
        """Keep a refusal; the next run tries that request again."""
        _append(self._failures, line)


@contextmanager
def opened(answers: Path, failures: Path, wanted: Collection[str]) -> Iterator[Ledger]:
    """The files, locked; what failed before is tried again, so its file begins empty.

    Raises ConflictError while somebody else has them, UsageError where the first is not of the
    batch whose custom_ids are ``wanted``.
    """
    with answers.open("a+b", buffering=0) as first, failures.open("a+b", buffering=0) as second:
        _lock(first, answers)
        done = _kept(first, answers, wanted)
        second.truncate(0)
        yield Ledger(first, second, done)
        os.fsync(first.fileno())
    if not failures.stat().st_size:
        failures.unlink()


def _lock(file: BinaryIO, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConflictError(
            f"Another `sparkwell batch` writes to {path}.",
            hint="Wait for it, or name another file.",
        ) from None


def _kept(file: BinaryIO, path: Path, wanted: Collection[str]) -> frozenset[str]:
    """Who has an answer; the file then ends with its last whole line."""
    done: set[str] = set()
    whole = 0
    with path.open("rb") as reading:
        for number, line in enumerate(reading, 1):
            if not line.endswith(b"\n"):
                break
            done.add(_custom_id(line, number, path, wanted))
            whole += len(line)
    file.truncate(whole)
    return frozenset(done)


def _custom_id(line: bytes, number: int, path: Path, wanted: Collection[str]) -> str:
    try:
        custom_id = _ENTRY.decode(line).custom_id
    except msgspec.MsgspecError:
        raise _not_ours(path, f"line {number} is no answer") from None
    if custom_id not in wanted:
        raise _not_ours(path, f"line {number} answers {custom_id!r}, which is not asked for")
    return custom_id


def _not_ours(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{path} is not from this batch: {why}.", hint="Name another file; it was not touched."
    )


def _append(file: BinaryIO, line: bytes) -> None:
    """One write for a whole line; what a full disk takes of it is taken off again."""
    whole = memoryview(line + b"\n")
    start = file.seek(0, os.SEEK_END)
    try:
        while whole:
            whole = whole[file.write(whole) :]
    except OSError:
        file.truncate(start)
        raise
