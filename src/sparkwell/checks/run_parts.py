"""Parts of a snapshot: the runs of models, as the daemon and the store know them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkwell.catalog.recipe import FlagValue


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended. ``asked``: somebody wanted it. ``out_of_memory``: the kernel ended it."""

    at: float
    code: int | None = None
    signal: str | None = None
    asked: bool = False
    out_of_memory: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a model: the newest of its kind, living or ended. Times are Unix seconds.

    ``state`` is the supervisor's word ("starting", "ready", "failed", "asleep", "stopping"), or
    "ended". ``phase`` is that of a start, since ``phase_since``, and ``phase_longest_s`` what it
    took at most on this machine, None where it never ran to its end. ``last_line`` is the newest
    of its log. ``silent_s`` is since the canary last had an answer where it has none now.
    ``restarts`` are those of the last hour, ``failures`` those in a row; ``held_until`` is when
    the breaker lets it start again. ``planned_quantization`` is the plan's, ``flags`` are those
    in force, by the engine's names with underscores.
    """

    id: str
    model: str
    state: str
    engine: str = "vllm"
    engine_version: str | None = None
    device: str | None = None
    driver: str | None = None
    image: str | None = None
    started_at: float | None = None
    ready_at: float | None = None
    phase: str | None = None
    phase_since: float | None = None
    phase_longest_s: float | None = None
    last_line: str | None = None
    silent_s: float | None = None
    error: str | None = None
    hint: str | None = None
    end: RunEnd | None = None
    restarts: int = 0
    failures: int = 0
    held_until: float | None = None
    first_reason: str | None = None
    planned_quantization: str | None = None
    flags: Mapping[str, FlagValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """The host's memory at one moment: Unix seconds, bytes, and PSI's "full" of 10 s, 0 to 1."""

    at: float
    available_bytes: int | None = None
    swap_used_bytes: int | None = None
    pressure: float | None = None
