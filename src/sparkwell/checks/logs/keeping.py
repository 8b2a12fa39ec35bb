"""Decides line by line what of a log is kept. Pure.

A line's shape is the line with every digit, and every small letter that a hexadecimal number may
have, made 0. What a line is, is found out once for each shape: lines of a shape that tells nothing
cost no more than looking that up.
"""

import re
from collections import deque
from collections.abc import Sequence
from itertools import compress, repeat

from sparkwell.checks.logs.chunks import last_state
from sparkwell.checks.logs.interest import Kind, kind_of
from sparkwell.checks.logs.shelves import Kept, Row, Shape, Shelf
from sparkwell.checks.logs.takers import Access, Indented, Steady, Taker, Traceback, speaker_of

ENDS = 150
"""Lines that are kept of the log's beginning, and as many of its end."""
STORED = 4 * 1024
"""Bytes of a line that are kept until it is known whether it stays."""
_SHAPE = bytes(0x30 if code in b"0123456789abcdef" else code for code in range(256))
# Numbers, bars, spaces; each part begins with a sign of its own, which makes the search quick.
_FIGURES = re.compile(rb"0[0.,]+|\xe2\x96.(?:\xe2\x96.)*|  +")
_REMEMBERED = 10_000
_LONGEST_SHAPE = 1_024
_KEY = 512
_LONGEST_WORD = 1_000


class Keeping:
    """What is kept of a log so far."""

    def __init__(self) -> None:
        self.first: list[Kept] = []
        self.last: deque[Kept] = deque(maxlen=ENDS)
        self.counted_first: list[tuple[int, Shape]] = []
        self.counted_last: deque[tuple[int, Shape]] = deque(maxlen=ENDS)
        self.counted = 0
        self.severe = Shelf(early=400, late=200, most=600)
        self.notable = Shelf(early=250, late=150, most=400)
        self.stacks = Shelf(early=300, late=200, most=500, amounts=((2, 1), (1, 1), (1, 0)))
        self.steady = Row(first=20, last=60, between=100)
        self._chains: dict[bytes, int] = {}
        self._takers: dict[bytes, Taker | None] = {}

    def read(self, numbers: Sequence[int], lines: Sequence[bytes]) -> None:
        """The next lines, and their numbers."""
        if not lines:
            return
        self.first += zip(numbers, lines[: ENDS - len(self.first)], strict=False)
        self.last.extend(zip(numbers[-ENDS:], lines[-ENDS:], strict=True))
        shapes = b"\n".join(lines).translate(_SHAPE).split(b"\n")
        takers = self._takers
        told = map(takers.get, shapes, repeat(True))  # not known yet: to be looked at
        for number, line, shape in compress(zip(numbers, lines, shapes, strict=True), told):
            raw = line if len(line) <= STORED else stored(line)
            taker = takers.get(shape) or self._meet(raw, shape)
            if taker is not None and (counted := taker.add(number, raw)) is not None:
                self._count(number, counted)

    def _count(self, number: int, counted: Shape) -> None:
        self.counted += 1
        self.counted_last.append((number, counted))
        if self.counted <= ENDS:
            self.counted_first.append((number, counted))

    def _meet(self, raw: bytes, shape: bytes) -> Taker | None:
        """Who takes lines of a shape that was not seen, or not for long."""
        taker = self._taker(raw)
        if len(shape) <= _LONGEST_SHAPE:
            if len(self._takers) >= _REMEMBERED:
                self._takers.clear()
            self._takers[shape] = taker
        return taker

    def _taker(self, raw: bytes) -> Taker | None:
        kind = kind_of(raw)
        if kind is Kind.PLAIN:
            return None
        if kind is Kind.STEADY:
            return Steady(self.steady)
        if kind is Kind.ASKED:
            return self.notable.shape(b"asked")
        key = _key(raw)
        if kind is Kind.INDENTED:
            return Indented(hash(key), speaker_of(raw), self.stacks, self._chains)
        if kind is Kind.NOTABLE:
            return self.notable.shape(key)
        return self._severe(kind, key, speaker_of(raw))

    def _severe(self, kind: Kind, key: bytes, speaker: slice) -> Taker:
        shape = self.severe.shape(key)
        if kind is Kind.TRACEBACK:
            return Traceback(shape, speaker, self._chains)
        return Access(shape) if kind is Kind.ACCESS else shape


def stored(raw: bytes) -> bytes:
    """As much of a line as is kept; it is not cut within a word, which could be a secret."""
    if len(raw) <= STORED:
        return raw
    raw = last_state(raw)
    if len(raw) <= STORED:
        return raw
    word = raw.rfind(b" ", STORED - _LONGEST_WORD, STORED)
    return raw[: word if word >= 0 else STORED]


def _key(raw: bytes) -> bytes:
    return _FIGURES.sub(b"0", last_state(raw)[:_KEY].translate(_SHAPE))
