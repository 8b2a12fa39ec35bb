"""Blocks of a log as numbered lines; those that vLLM wrapped are joined. Pure."""

from bisect import bisect_left
from collections.abc import Sequence

from sparkwell.checks.logs.written import bare, joined

_LONGEST = 16 * 1024
"""Characters up to which wrapped lines are joined."""
_ENDS = (b"\\", b"\\\r")


class Lines:
    """Takes blocks of whole lines, gives lines. ``total`` counts those that were read."""

    def __init__(self) -> None:
        self.total = 0
        self._wrapped: tuple[int, str] | None = None

    def read(self, block: bytes) -> tuple[Sequence[int], list[bytes]]:
        """Numbers and lines of a block, but for a line whose end is not there yet."""
        lines = block.split(b"\n")
        if not lines[-1]:
            lines.pop()
        numbers = range(self.total + 1, self.total + 1 + len(lines))
        self.total += len(lines)
        if self._wrapped is None and not _has_wrapped(block):
            return numbers, lines
        return self._joined(numbers, lines)

    def rest(self) -> tuple[Sequence[int], list[bytes]]:
        """A last line whose end never came."""
        numbers: list[int] = []
        lines: list[bytes] = []
        self._flush(numbers, lines)
        return numbers, lines

    def _joined(self, numbers: Sequence[int], lines: list[bytes]) -> tuple[list[int], list[bytes]]:
        new_numbers: list[int] = []
        new_lines: list[bytes] = []
        wrapped = [at for at, line in enumerate(lines) if line.endswith(_ENDS)]
        at = 0
        while at < len(lines):
            if self._wrapped is not None:
                if self._goes_on(lines[at]):
                    at += 1
                    continue
                self._flush(new_numbers, new_lines)
            until = _next(wrapped, at, len(lines))
            new_numbers += numbers[at:until]
            new_lines += lines[at:until]
            if until < len(lines):
                self._wrapped = (numbers[until], bare(lines[until]))
            at = until + 1
        return new_numbers, new_lines

    def _goes_on(self, raw: bytes) -> bool:
        """Whether the line was joined to the one that waits for its end."""
        if self._wrapped is None:
            return False
        number, text = self._wrapped
        if not text.endswith("\\") or len(text) > _LONGEST:
            return False
        whole = joined(text, bare(raw))
        if whole is None:
            return False
        self._wrapped = (number, whole)
        return True

    def _flush(self, numbers: list[int], lines: list[bytes]) -> None:
        if self._wrapped is not None:
            numbers.append(self._wrapped[0])
            lines.append(self._wrapped[1].encode())
            self._wrapped = None


def _has_wrapped(block: bytes) -> bool:
    return b"\\\n" in block or b"\\\r" in block or block.endswith(_ENDS)


def _next(places: Sequence[int], at: int, otherwise: int) -> int:
    """The first of the places that is not before ``at``."""
    found = bisect_left(places, at)
    return places[found] if found < len(places) else otherwise
