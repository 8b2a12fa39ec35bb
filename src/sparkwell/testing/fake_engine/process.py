"""What a request can do to the engine's processes."""

from collections.abc import Callable
from dataclasses import dataclass

from sparkwell.testing.fake_engine.memory import Memory


@dataclass(frozen=True, slots=True)
class Process:
    """``die`` ends the program at once, ``kill_core`` its EngineCore; ``memory`` is that one's."""

    die: Callable[[], None]
    kill_core: Callable[[], None]
    memory: Memory
