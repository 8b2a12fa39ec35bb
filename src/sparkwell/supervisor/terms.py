"""On which terms a model is served, and by which rules the box decides who is next: values."""

from dataclasses import dataclass

from sparkwell.engines.vllm.sleep import BackEnd


@dataclass(frozen=True, slots=True)
class Terms:
    """What the box has to know of a model before it can decide about it.

    ``least_bytes`` is the memory under which it cannot start, ``most_bytes`` what it takes where
    nobody else needs it; both None where nobody can tell: then it is started only alone.
    ``start_s`` is what its starts took on this machine, None before the first. ``idle_s`` is how
    long it may be idle before it ends, None for ever. ``asleep_bytes`` is what an engine that
    sleeps still holds.
    """

    least_bytes: int | None = None
    most_bytes: int | None = None
    start_s: float | None = None
    priority: int = 0
    pinned: bool = False
    idle_s: float | None = None
    back_end: BackEnd = BackEnd.COLD
    asleep_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of the queue; times in seconds.

    A model that has become ready stays ``min_residency_s``, and as long as its start took, unless
    it was idle for ``quiet_s``.
    After ``patience_s`` a request is worth a drain: the busy model that is in its way takes no
    new ones. Each further ``patience_s`` counts as much as one step of priority, and after
    ``due_s`` no priority counts any more, so nobody starves. Nobody waits longer than
    ``max_wait_s``, and no more than ``max_waiting`` wait.
    A switch that waits for running requests as long as ``long_drain_s`` says so.
    """

    min_residency_s: float = 15.0
    quiet_s: float = 2.0
    patience_s: float = 60.0
    max_wait_s: float = 1800.0
    max_waiting: int = 512
    long_drain_s: float = 600.0

    @property
    def due_s(self) -> float:
        """After what wait a model is before those of a higher priority: half of the longest."""
        return self.max_wait_s / 2


@dataclass(frozen=True, slots=True)
class Budget:
    """What all engines together may hold, in bytes; None where nobody can tell: one at a time."""

    total_bytes: int | None = None


PERSON = 1000
"""The priority of what a person asks for: before all requests, and without having to wait first."""


def priority_of(terms: Terms, own: int) -> int:
    """The priority of a request with an ``own`` one, for a model of these terms.

    A person is not asked how important the model is.
    """
    return own if own >= PERSON else own + terms.priority


NO_TERMS = Terms()
"""Of a model that nothing is known of."""
USUAL_POLICY = Policy()
NO_BUDGET = Budget()

__all__ = [
    "NO_BUDGET",
    "NO_TERMS",
    "PERSON",
    "USUAL_POLICY",
    "BackEnd",
    "Budget",
    "Policy",
    "Terms",
    "priority_of",
]
