"""Places for lines that are kept, each bounded whatever comes; lines of one shape are counted.

Pure.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field

Kept = tuple[int, bytes]
"""A line's number and its bytes."""
Key = bytes | int
_AMOUNTS = ((5, 2), (2, 1), (1, 1), (1, 0))
"""How many of one shape are kept, first and last ones; fewer where there are many shapes."""


@dataclass(slots=True, eq=False)
class Shape:
    """Lines that differ in their figures only: the first five, the last two, and how many.

    ``late`` is the shelf on which it may be forgotten.
    """

    key: Key
    late: "Shelf | None" = None
    total: int = 0
    first: list[Kept] = field(default_factory=list)
    last: deque[Kept] = field(default_factory=lambda: deque(maxlen=2))

    def add(self, number: int, raw: bytes) -> "Shape":
        """One more."""
        self.total += 1
        (self.first if len(self.first) < 5 else self.last).append((number, raw))
        if self.late is not None:
            self.late.renew(self)
        return self


@dataclass(frozen=True, slots=True)
class Choice:
    """What is kept of a shape; those that are not came after line ``gap_after``."""

    shape: Shape
    lines: tuple[Kept, ...]
    gap_after: int


@dataclass(slots=True, eq=False)
class Shelf:
    """Shapes of one kind: the first ``early`` ones, and the ``late`` ones that came last.

    ``most`` is how many lines are taken from it in the end; it is not less than its shapes.
    """

    early: int
    late: int
    most: int
    amounts: tuple[tuple[int, int], ...] = _AMOUNTS
    _early: dict[Key, Shape] = field(default_factory=dict)
    _late: OrderedDict[Key, Shape] = field(default_factory=OrderedDict)

    def shape(self, key: Key) -> Shape:
        """The shape with this key, or a new one."""
        known = self._early.get(key) or self._late.get(key)
        if known:
            return known
        if len(self._early) >= self.early:
            return Shape(key, late=self)
        self._early[key] = Shape(key)
        return self._early[key]

    def renew(self, shape: Shape) -> None:
        """This late shape came just now; the one that came longest ago may be forgotten."""
        self._late[shape.key] = shape
        self._late.move_to_end(shape.key)
        if len(self._late) > self.late:
            self._late.popitem(last=False)

    def chosen(self) -> list[Choice]:
        """What is kept: as much of each shape as fits into ``most`` lines."""
        shapes = (*self._early.values(), *self._late.values())
        for amount in self.amounts:
            choices = [_choice(shape, *amount) for shape in shapes if shape.total]
            if sum(len(each.lines) for each in choices) <= self.most:
                break
        return choices


def _choice(shape: Shape, first: int, last: int) -> Choice:
    begin = shape.first[:first]
    end = (*shape.first[first:], *shape.last)[-last:] if last else ()
    return Choice(shape, (*begin, *end), begin[-1][0])


class Row:
    """Lines that come steadily: the first ones, the last ones, and some of those between.

    ``between`` of those are kept at most, evenly spread: each time that there are more, every
    other one is forgotten, and from then on half as many are taken.
    """

    def __init__(self, first: int, last: int, between: int) -> None:
        self._first: list[Kept] = []
        self._last: deque[Kept] = deque(maxlen=last)
        self._between: list[Kept] = []
        self._wanted = first
        self._most = between
        self._every = 1
        self._seen = 0

    def add(self, number: int, raw: bytes, *, telling: bool) -> None:
        """One more. One that is ``telling`` may become one of those between."""
        if len(self._first) < self._wanted:
            self._first.append((number, raw))
            return
        self._last.append((number, raw))
        if telling:
            self._sample(number, raw)

    def lines(self) -> tuple[Kept, ...]:
        """Those kept, some of them twice."""
        return (*self._first, *self._between, *self._last)

    def _sample(self, number: int, raw: bytes) -> None:
        if self._seen % self._every == 0:
            self._between.append((number, raw))
        self._seen += 1
        if len(self._between) > self._most:
            del self._between[1::2]
            self._every *= 2
