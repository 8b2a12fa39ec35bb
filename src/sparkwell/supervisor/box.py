"""The state of the machine, as values: which instance holds it, and what that one is doing."""

from dataclasses import dataclass
from enum import StrEnum

from sparkwell.core.launch import ExitRecord
from sparkwell.core.phases import Phase


class State(StrEnum):
    """What an instance is doing, in a user's words."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Instance:
    """One run of one model. ``error`` says why a start failed or an engine ended by itself."""

    id: str
    model: str
    state: State
    phase: Phase = Phase.LAUNCH
    fraction: float | None = None
    error: str | None = None
    record: ExitRecord | None = None

    @property
    def holds_the_machine(self) -> bool:
        """Whether processes of it may still be there."""
        return self.state is not State.FAILED


@dataclass(frozen=True, slots=True)
class Box:
    """The state of the whole machine: the instance that holds it, or the last that failed."""

    instance: Instance | None = None

    @property
    def busy(self) -> bool:
        """Whether an instance holds the machine."""
        return self.instance is not None and self.instance.holds_the_machine
