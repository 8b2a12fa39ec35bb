"""Reads logs from files, pipes and devices. Blocks: to be called from a thread."""

import os
import select
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sparkwell.checks.logs.digest import digest_bytes
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.core.errors import EnvironmentFault, UsageError
from sparkwell.doctor.log_files_gzip import is_gzip, unpacked

STDIN = Path("-")
_STANDARD_INPUT = 0
_AT_ONCE = 1 << 20
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is read. Of a longer file the beginning and the end, each half of ``most_bytes``.

    ``idle_s``: a pipe from which nothing came for so long is at its end; ``most_s`` is for a pipe
    or device altogether.
    """

    most_bytes: int = 1_000 * _MB
    idle_s: float = 30.0
    most_s: float = 300.0


LIMITS = Limits()


def _called(path: str) -> str:
    """A pipe that the shell has made has a number, and no name."""
    return "the pipe" if path.startswith(("/dev/fd/", "/proc/")) else path


def read_log(path: Path | None, source: str | None = None, limits: Limits = LIMITS) -> LogDigest:
    """What is to be kept of a log; ``path`` None or "-" is standard input. Gzip is unpacked.

    What the limits leave out is told by a line "sparkwell: …" in the log, which counts as one.
    Raises UsageError where there is no log to be read, EnvironmentFault where it may not be.
    """
    standard = path is None or path == STDIN
    name = source or ("standard input" if standard else _called(str(path)))
    try:
        descriptor = _STANDARD_INPUT if path is None or standard else _opened(path)
        try:
            made = digest_bytes(_bounded(descriptor, name, limits), name)
        finally:
            if not standard:
                os.close(descriptor)
    except OSError as error:
        raise _refused(name, error) from None
    if not made.total_bytes:
        raise UsageError(f"{name} is empty.", hint="Give a log that has something in it.")
    return made


def _opened(path: Path) -> int:
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", hint=f"Give one log{_an_example(path)}.")
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe may have no writer


def _an_example(folder: Path) -> str:
    """The newest log of a folder."""
    with suppress(OSError):
        logs = [each for each in folder.glob("*.log*") if each.is_file()]
        return f", such as {max(logs, key=lambda each: each.stat().st_mtime)}" if logs else ""
    return ""


def _refused(name: str, error: OSError) -> UsageError | EnvironmentFault:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return UsageError(
            f"There is no file {name}.",
            hint="Give the path of a log, or - to read what is piped in.",
        )
    if isinstance(error, PermissionError):
        hint = f"Read it as its owner: sudo cat {name} | sparkwell doctor --log -"
    else:
        hint = "Copy the log to another place and read it there."
    return EnvironmentFault(f"{name} cannot be read: {error.strerror or error}.", hint=hint)


def _bounded(descriptor: int, name: str, limits: Limits) -> Iterator[bytes]:
    """What is read, unpacked, as much of it as the limits let."""
    status = os.fstat(descriptor)
    if os.isatty(descriptor):
        raise UsageError(
            f"{name} is a terminal, not a log.",
            hint="Pipe a log into it: docker logs NAME 2>&1 | sparkwell doctor --log -",
        )
    if not stat.S_ISREG(status.st_mode) or not status.st_size:  # those of /proc have no size
        return _up_to(unpacked(_of_pipe(descriptor, name, limits), name), limits.most_bytes)
    if status.st_size <= limits.most_bytes or is_gzip(os.pread(descriptor, 2, 0)):
        return _up_to(unpacked(_read(descriptor, status.st_size), name), limits.most_bytes)
    return unpacked(_both_ends(descriptor, status.st_size, limits.most_bytes // 4 * 2), name)


def _both_ends(descriptor: int, size_bytes: int, each_bytes: int) -> Iterator[bytes]:
    yield from _read(descriptor, each_bytes)
    left_mb = (size_bytes - 2 * each_bytes) // _MB
    yield _note(f"{left_mb:,} MB of this log were not read here")
    os.lseek(descriptor, size_bytes - each_bytes, os.SEEK_SET)
    yield from _read(descriptor, each_bytes)


def _up_to(chunks: Iterator[bytes], most_bytes: int) -> Iterator[bytes]:
    """The first bytes, and a line that says so where there were more."""
    total = 0
    for chunk in chunks:
        if total >= most_bytes:
            yield _note(f"only the first {most_bytes // _MB:,} MB of this log were read")
            return
        yield chunk
        total += len(chunk)


def _read(descriptor: int, most_bytes: int) -> Iterator[bytes]:
    """What the file holds now; what is written to it meanwhile is left for another time."""
    while most_bytes > 0 and (chunk := os.read(descriptor, min(_AT_ONCE, most_bytes))):
        yield chunk
        most_bytes -= len(chunk)


def _of_pipe(descriptor: int, name: str, limits: Limits) -> Iterator[bytes]:
    """What comes from a pipe or device until it ends, is silent for long, or has taken too long."""
    came = False
    until = time.monotonic() + limits.most_s
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    while (left_s := until - time.monotonic()) > 0:
        if not waiting.poll(1000 * min(limits.idle_s, left_s)):
            break
        with suppress(BlockingIOError):
            chunk = os.read(descriptor, _AT_ONCE)
            if not chunk:
                return
            came = True
            yield chunk
    if not came:
        raise UsageError(
            f"Nothing came from {name} for {limits.idle_s:g} s.",
            hint="Is anything writing to it? For a log that is in a file, give the file.",
        )
    yield _note("nothing more was waited for")


def _note(text: str) -> bytes:
    """A line of ours; of an even length, so that what follows may be UTF-16."""
    return f"\nsparkwell: {text}.{' ' * (len(text) % 2)}\n".encode()
