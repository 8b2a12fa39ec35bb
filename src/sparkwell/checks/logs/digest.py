"""Makes the digest of a log in one pass: bounded, however long the log is. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from sparkwell.checks.logs.chunks import blocks
from sparkwell.checks.logs.identity import identify
from sparkwell.checks.logs.keeping import Keeping, stored
from sparkwell.checks.logs.lines import Lines
from sparkwell.checks.logs.parts import LogDigest, LogLine
from sparkwell.checks.logs.shelves import Choice
from sparkwell.checks.logs.written import LONGEST, bare, written

MOST_LINES = 2_000
MOST_CHARACTERS = 1_000_000
_SHORTER = (LONGEST, 1_000, 500, 300)


def digest(lines: Iterable[str], source: str) -> LogDigest:
    """What is to be kept of a log that is there as lines, with or without line feeds."""
    return digest_bytes((_encoded(line) for line in lines), source)


def digest_bytes(chunks: Iterable[bytes], source: str) -> LogDigest:
    """What is to be kept of a log that comes in pieces of any size.

    Kept are the beginning, the end, and between them lines that may matter: at most
    ``MOST_LINES``, and about ``MOST_CHARACTERS``. It does not matter where the pieces were cut.
    """
    counted = _Counted(chunks)
    keeping, reader = Keeping(), Lines()
    for block in blocks(counted):
        keeping.read(*reader.read(block))
    keeping.read(*reader.rest())
    return _made(keeping, source, reader.total, counted.total)


class _Counted:
    """Chunks, and how many bytes they were."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.total = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.total += len(chunk)
            yield chunk


def _encoded(line: str) -> bytes:
    text = line if line.endswith("\n") else f"{line}\n"
    return text.encode(errors="replace")


def _made(keeping: Keeping, source: str, total_lines: int, total_bytes: int) -> LogDigest:
    choices = [
        *keeping.severe.chosen(), *keeping.notable.chosen(), *keeping.stacks.chosen()
    ]  # fmt: skip
    ends = _ends(keeping)
    lines = _lines(keeping, choices, _times(choices, ends))
    engine, version = identify(lines)
    return LogDigest(
        source,
        lines,
        engine=engine,
        version=version,
        total_lines=total_lines,
        total_bytes=total_bytes,
        left_out=_left_out(keeping, choices, ends),
    )


Ends = Mapping[int, set[int]]
"""The numbers of the counted lines of the log's beginning and end, by the shape that counts."""


def _ends(keeping: Keeping) -> Ends:
    kept = {number for number, _ in (*keeping.first, *keeping.last)}
    ends: dict[int, set[int]] = {}
    for number, shape in (*keeping.counted_first, *keeping.counted_last):
        if number in kept:
            ends.setdefault(id(shape), set()).add(number)
    return ends


def _times(choices: Iterable[Choice], ends: Ends) -> dict[int, int]:
    """For the line before each gap: how many lines it stands for."""
    times: dict[int, int] = {}
    for each in choices:
        shown = {number for number, _ in each.lines} | ends.get(id(each.shape), set())
        times[each.gap_after] = 1 + each.shape.total - len(shown)
    return times


def _left_out(keeping: Keeping, choices: Iterable[Choice], ends: Ends) -> int:
    """Lines of interest that nothing stands for."""
    chosen = {id(each.shape): each.shape.total for each in choices}
    others = sum(len(numbers) for shape, numbers in ends.items() if shape not in chosen)
    return keeping.counted - sum(chosen.values()) - others


def _lines(
    keeping: Keeping, choices: Iterable[Choice], times: Mapping[int, int]
) -> tuple[LogLine, ...]:
    kept = {number: raw for choice in choices for number, raw in choice.lines}
    kept |= dict((*keeping.steady.lines(), *keeping.first, *keeping.last))
    lines = [
        replace(written(number, bare(stored(raw))), times=times.get(number, 1))
        for number, raw in sorted(kept.items())
    ]
    return _fitting(lines, whole=len(keeping.first))


def _fitting(lines: list[LogLine], whole: int) -> tuple[LogLine, ...]:
    """Lines that are shorter where all together would be too long; the first ones stay whole."""
    for longest in _SHORTER:
        lines[whole:] = [_cut(line, longest) for line in lines[whole:]]
        if sum(len(line.text) for line in lines) <= MOST_CHARACTERS:
            break
    return tuple(lines)


def _cut(line: LogLine, longest: int) -> LogLine:
    if len(line.text) <= longest:
        return line
    return replace(line, text=f"{line.text[: longest - 1]}…", begins=min(line.begins, longest - 1))
