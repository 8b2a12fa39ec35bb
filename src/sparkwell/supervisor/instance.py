"""One run of one model, as a value: what it is doing, and on which terms."""

from dataclasses import dataclass
from enum import StrEnum

from sparkwell.core.findings import Finding
from sparkwell.core.launch import ExitRecord
from sparkwell.core.phases import Phase
from sparkwell.supervisor.quick import changer
from sparkwell.supervisor.terms import NO_TERMS, Terms


class State(StrEnum):
    """What an instance is doing, in a user's words."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"  # takes no new requests; leaves when the running ones are done
    STOPPING = "stopping"
    SLEEPING = "sleeping"  # on its way to sleep
    ASLEEP = "asleep"
    WAKING = "waking"
    FAILED = "failed"


class Leave(StrEnum):
    """How a draining instance leaves."""

    STOP = "stop"
    SLEEP = "sleep"


@dataclass(frozen=True, slots=True)
class Instance:
    """One run of one model. ``error`` says why a start failed or an engine ended by itself.

    ``hint`` says what to do about it, where somebody knows, and ``findings`` what was found in its
    log, the worst first.
    ``lost`` marks one whose end could not be seen to: processes of it may still be there.
    ``launched`` is set from the moment at which a driver was asked to start it: from then on its
    starting, stopping, sleeping and waking change the machine's memory, one instance at a time.
    ``held_bytes`` is what it holds by its plan, None where nobody can tell; ``forced`` that a
    person wanted it although it does not fit. ``kept`` marks what a person started: it comes back
    after a crash. ``serving`` counts the leases that are out. Times are monotonic seconds:
    ``ready_at`` since when it serves, ``idle_since`` since when nobody uses it. One that is to
    make room has ``leave``, and ``cut`` where running requests are not waited for. ``tripped``
    marks one that the memory guard ended, ``unwoken`` one that slept and could not be woken,
    ``returning`` one that ran before and was to come back: where its start fails it still is.
    """

    id: str
    model: str
    state: State
    phase: Phase = Phase.LAUNCH
    fraction: float | None = None
    error: str | None = None
    hint: str | None = None
    record: ExitRecord | None = None
    lost: bool = False
    terms: Terms = NO_TERMS
    launched: bool = True
    held_bytes: int | None = None
    forced: bool = False
    kept: bool = False
    serving: int = 0
    ready_at: float | None = None
    idle_since: float | None = None
    leave: Leave | None = None
    cut: bool = False
    tripped: bool = False
    unwoken: bool = False
    returning: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def holds_the_machine(self) -> bool:
        """Whether processes of it may still be there."""
        return self.state is not State.FAILED

    @property
    def has_the_turn(self) -> bool:
        """Whether it is just changing how much of the machine it holds."""
        changing = (State.STARTING, State.STOPPING, State.SLEEPING, State.WAKING)
        return self.launched and self.state in changing

    @property
    def now_held_bytes(self) -> int | None:
        """What it holds in its present state."""
        return self.terms.asleep_bytes if self.state is State.ASLEEP else self.held_bytes


serving_now = changer(Instance, "serving", "idle_since")
"""An instance with another count of leases, and since when nobody uses it."""
