"""The dialects of vLLM's API: how each asks, and how it is told the answer.

A dialect that generates is two functions: ``asked`` reads a request, and ``speech`` says the
answer, whole or in events. ``pooling`` and ``counting`` compute an answer at once.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from sparkwell.testing.fake_engine.asked import Asked, Json
from sparkwell.testing.fake_engine.generation import Generation


class Speech(Protocol):
    """How one answer is told. ``given`` is what was generated in the end."""

    def whole(self, given: Generation) -> dict[str, Any]:
        """Write the body of an answer that is not streamed."""
        ...

    def first(self) -> bytes:
        """Write what goes before the first token."""
        ...

    def token(self, text: str) -> bytes:
        """Write one token."""
        ...

    def last(self, given: Generation) -> Iterable[bytes]:
        """Write what goes after the last token."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """``prefix`` begins the answer's id; ``speech`` is given generation, id, time and request."""

    prefix: str
    asked: Callable[[Json], Asked]
    speech: Callable[[Generation, str, int, Json], Speech]
