"""The last lines of a log that may be long: read from its end, as far back as it takes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkwell.monitor.log_lines import Keeps, kept

FIRST_WINDOW = 1024 * 1024
LARGEST_WINDOW = 64 * 1024 * 1024
"""Bytes from the end that are searched for lines at most; a start says less than a megabyte."""
MOST_AT_ONCE = 1024 * 1024
_GROWTH = 8


@dataclass(frozen=True, slots=True)
class Tail:
    """The last lines that are kept, oldest first. ``more`` tells whether there may be older ones.

    ``total_bytes`` is the length of the whole log, ``position`` where reading can go on: behind the
    last line that has an end. ``searched_bytes`` is how far from the end the search went where it
    ended before it had all that were asked for; None where it did not.
    """

    lines: tuple[str, ...]
    more: bool
    total_bytes: int
    position: int = 0
    searched_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Since:
    """The lines after a position, and where to go on. ``gap``: some are not there any more."""

    lines: tuple[str, ...]
    position: int
    gap: bool = False


def read_tail(log: Path, count: int, filters: Callable[[], Iterable[Keeps]]) -> Tail:
    """The last ``count`` lines of ``log`` and its rotated elders that new ``filters()`` keep.

    A log that is not there has none. What is looked at begins at a whole line, and is read piece
    by piece: others get their turn, and only what is shown is kept.
    """
    parts = _parts(log)
    total, window = sum(size for _, size in parts), FIRST_WINDOW
    while True:
        whole = window >= total
        shown, found, unfinished = _search(parts, window, count, filters())
        if whole or found >= count or window >= LARGEST_WINDOW:
            searched = None if whole or found >= count else window
            more = not whole or found > count
            return Tail(tuple(shown), more, total, total - unfinished, searched)
        window *= _GROWTH


def _search(
    parts: Sequence[tuple[Path, int]], window: int, count: int, filters: Iterable[Keeps]
) -> tuple[Iterable[str], int, int]:
    """The last lines in a window that are kept, how many there are, and the bytes of no line."""
    pieces = _Pieces(parts, window)
    shown, found = deque[str](maxlen=count), 0
    for line in kept(pieces.lines(), filters):
        shown.append(line)
        found += 1
    return shown, found, pieces.unfinished


class _Pieces:
    """The last bytes of a log, a piece after the other, as whole lines.

    ``unfinished`` are, in the end, the bytes of a last line that has no end yet.
    """

    def __init__(self, parts: Sequence[tuple[Path, int]], window: int) -> None:
        self._parts, self._window = parts, window
        self._total = sum(size for _, size in parts)
        self.unfinished = 0

    def lines(self) -> Iterator[str]:
        """The lines, the oldest first; the last one also where it has no end."""
        rest, first = b"", self._window < self._total
        for piece in self._bytes():
            data = rest + piece
            done = len(data) - _unfinished(data)
            rest = data[done:]
            lines = _lines(data[:done], whole=not (first and done)) if done else []
            first = first and not done
            yield from lines
        self.unfinished = len(rest)
        if rest and not first:
            yield from _lines(rest, whole=True)

    def _bytes(self) -> Iterator[bytes]:
        left_out = max(0, self._total - self._window)
        for file, size in reversed(self._parts):
            skipped = min(left_out, size)
            left_out -= skipped
            for start in range(skipped, size, FIRST_WINDOW):
                yield _part_of(file, start, min(FIRST_WINDOW, size - start))


def read_since(log: Path, position: int) -> Since:
    """The lines that were finished after ``position``, counted over the log and its elders.

    Where older parts were dropped meanwhile it goes on at the end; of a flood the newest lines are
    read.
    """
    parts = _parts(log)
    total = sum(size for _, size in parts)
    if position > total:
        return Since((), total, gap=True)
    gap = total - position > MOST_AT_ONCE
    data = _last_bytes(parts, min(total - position, MOST_AT_ONCE))
    done = data[: len(data) - _unfinished(data)]
    lines = _lines(done, whole=not gap) if done else []
    return Since(tuple(lines), total - len(data) + len(done), gap)


def _unfinished(data: bytes) -> int:
    """How many bytes at the end belong to a line that has no end yet."""
    return len(data) - 1 - max(data.rfind(b"\n"), data.rfind(b"\r"))


def _parts(log: Path) -> list[tuple[Path, int]]:
    """The files of a log and their sizes, the newest first: engine.log, engine.log.1 and so on."""
    parts, number = [], 0
    while True:
        file = log.with_name(f"{log.name}.{number}") if number else log
        try:
            parts.append((file, file.stat().st_size))
        except OSError:
            if number:  # the newest may be missing for a moment, while they are rotated
                return parts
        number += 1


def _last_bytes(parts: Sequence[tuple[Path, int]], wanted: int) -> bytes:
    pieces: list[bytes] = []
    for file, size in parts:
        if wanted <= 0:
            break
        start = max(0, size - wanted)
        pieces.append(_part_of(file, start, size - start))
        wanted -= size
    return b"".join(reversed(pieces))


def _part_of(file: Path, start: int, length: int) -> bytes:
    try:
        with file.open("rb") as opened:
            opened.seek(start)
            return opened.read(length)
    except OSError:  # rotated away
        return b""


def _lines(data: bytes, *, whole: bool) -> list[str]:
    """The lines of the bytes; the first one, unless it begins the log, is but the end of one."""
    lines = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[-1]:
        lines.pop()
    return lines if whole else lines[1:]
