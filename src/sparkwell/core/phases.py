"""The way of an instance from nothing to its first token, as phases in a fixed order."""

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """One stretch of a start. The order of definition is the order in which they happen."""

    PREPARE = "prepare"  # look what a start needs that is not here yet
    PULL = "pull"  # fetch the container image
    DOWNLOAD = "download"  # fetch the weights
    QUEUE = "queue"  # another start has the machine: one at a time measures memory
    LAUNCH = "launch"  # processes start, Python imports, the configuration is read
    INIT = "init"  # the engine core and its workers come up
    WEIGHTS = "weights"  # tensors are read into memory
    COMPILE = "compile"  # torch.compile
    PROFILE = "profile"  # a trial run measures memory; the KV cache is laid out
    GRAPHS = "graphs"  # CUDA graphs are captured
    WARMUP = "warm-up"  # kernels are tried, the HTTP server comes up
    CANARY = "canary"  # one token is asked for and comes back
    READY = "ready"  # requests are served

    @property
    def label(self) -> str:
        """The phase in a few words, for people."""
        return _LABELS[self]

    def is_before(self, other: "Phase") -> bool:
        """Whether this phase comes earlier in a start than ``other``."""
        return _ORDER[self] < _ORDER[other]


_LABELS = {
    Phase.PREPARE: "looking what is here",
    Phase.PULL: "pulling the image",
    Phase.DOWNLOAD: "downloading the weights",
    Phase.QUEUE: "waiting for another start",
    Phase.LAUNCH: "starting the engine",
    Phase.INIT: "setting up workers",
    Phase.WEIGHTS: "loading weights",
    Phase.COMPILE: "compiling",
    Phase.PROFILE: "measuring memory",
    Phase.GRAPHS: "capturing CUDA graphs",
    Phase.WARMUP: "warming up",
    Phase.CANARY: "asking for a first token",
    Phase.READY: "ready",
}
BEFORE_LAUNCH = (Phase.PREPARE, Phase.PULL, Phase.DOWNLOAD, Phase.QUEUE)
"""Phases that a start has only when something was missing or in the way."""
_ORDER = {phase: position for position, phase in enumerate(Phase)}


@dataclass(frozen=True, slots=True)
class PhaseMark:
    """What one log line said about the way of a start.

    ``fraction`` is the share of the phase that is done (0 to 1), or None when the line does
    not say. ``facts`` are figures that the line carried, by name, e.g. ``kv_cache_tokens``.
    """

    phase: Phase
    fraction: float | None = None
    facts: tuple[tuple[str, float], ...] = ()
