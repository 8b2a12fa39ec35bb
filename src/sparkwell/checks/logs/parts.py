"""Parts of a snapshot: what is kept of an engine's log."""

from dataclasses import dataclass
from typing import Literal

from sparkwell.checks.host_parts import EngineKind

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that may matter, as it was written but for colours, control characters and secrets.

    ``number`` counts the log's lines from 1. ``begins`` is where the words begin in ``text``,
    behind what says who speaks and when ("(EngineCore pid=7) ERROR 11-21 10:00:00 [core.py:9] ").
    ``process`` is who speaks ("EngineCore"), None where the line does not say. ``times`` counts
    the lines of this shape, itself and those that were left out after it.
    """

    number: int
    text: str
    begins: int = 0
    process: str | None = None
    pid: int | None = None
    level: Level | None = None
    times: int = 1

    @property
    def words(self) -> str:
        """What is said."""
        return self.text[self.begins :]


@dataclass(frozen=True, slots=True)
class LogDigest:
    """What is kept of one log: its beginning, its end, and between them what may matter.

    ``source`` is what to call it: a file's name, the id of a run. ``instance`` and ``model`` are
    those of a run that this Sparkwell knows. ``engine`` and ``version`` are what the log says of
    itself, None where it does not. ``lines`` stand in the log's order; ``left_out`` counts lines
    of interest that were too many. Lines that vLLM wrapped are joined, and have the number of
    the first.
    """

    source: str
    lines: tuple[LogLine, ...] = ()
    engine: EngineKind | None = None
    version: str | None = None
    instance: str | None = None
    model: str | None = None
    total_lines: int = 0
    total_bytes: int = 0
    left_out: int = 0
