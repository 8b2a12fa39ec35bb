"""Who takes lines of one shape, where counting them is not all. Pure."""

import re
from dataclasses import dataclass
from typing import Protocol

from sparkwell.checks.logs.interest import is_severe_status
from sparkwell.checks.logs.shelves import Row, Shape, Shelf

_SPEAKERS = 1_000
_WAITING = re.compile(rb"Waiting: [1-9]")


class Taker(Protocol):
    """Takes lines of one shape; says what counts them."""

    def add(self, number: int, raw: bytes) -> Shape | None:
        """One more."""


@dataclass(frozen=True, slots=True)
class Steady:
    """vLLM's figures; those are telling of which requests wait."""

    row: Row

    def add(self, number: int, raw: bytes) -> None:
        """One more."""
        self.row.add(number, raw, telling=bool(_WAITING.search(raw)))


@dataclass(frozen=True, slots=True)
class Access:
    """Requests at Ollama: those that failed."""

    shape: Shape

    def add(self, number: int, raw: bytes) -> Shape | None:
        """One more."""
        return self.shape.add(number, raw) if is_severe_status(raw) else None


@dataclass(frozen=True, slots=True)
class Traceback:
    """A traceback's first line: what its process says next begins anew."""

    shape: Shape
    speaker: slice
    chains: dict[bytes, int]

    def add(self, number: int, raw: bytes) -> Shape:
        """One more."""
        self.chains.pop(raw[self.speaker], None)
        return self.shape.add(number, raw)


class Indented:
    """A line of a traceback is the same one only where the lines before it are: each is whole."""

    def __init__(self, key: int, speaker: slice, shelf: Shelf, chains: dict[bytes, int]) -> None:
        self._key = key
        self._speaker = speaker
        self._shelf = shelf
        self._chains = chains
        self._known: dict[int | None, tuple[int, Shape]] = {}

    def add(self, number: int, raw: bytes) -> Shape:
        """One more."""
        speaker = raw[self._speaker]
        before = self._chains.get(speaker)
        chain, shape = self._known.get(before) or self._meet(before)
        self._chains[speaker] = chain
        if len(self._chains) > _SPEAKERS:
            self._chains.clear()
        return shape.add(number, raw)

    def _meet(self, before: int | None) -> tuple[int, Shape]:
        chain = hash((before, self._key))
        if len(self._known) > _SPEAKERS:
            self._known.clear()
        self._known[before] = chain, self._shelf.shape(chain)
        return self._known[before]


def speaker_of(raw: bytes) -> slice:
    """Where a line, and any other of its shape, says which process writes it."""
    at = raw.find(b" pid=", 0, 160)
    return slice(max(0, at - 24), max(0, raw.find(b")", at, at + 40))) if at >= 0 else slice(0)
