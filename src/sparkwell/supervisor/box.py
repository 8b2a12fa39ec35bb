"""The state of the machine, as values: which instances hold it, and what they are doing."""

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
    """One run of one model. ``error`` says why a start failed or an engine ended by itself.

    ``hint`` says what to do about it, where somebody knows.
    ``lost`` marks one whose end could not be seen to: processes of it may still be there.
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

    @property
    def holds_the_machine(self) -> bool:
        """Whether processes of it may still be there."""
        return self.state is not State.FAILED


@dataclass(frozen=True, slots=True)
class Box:
    """The state of the whole machine: for each model its live instance, or the last that failed.

    In the order of starting; whether several fit together is decided before an Up comes.
    """

    instances: tuple[Instance, ...] = ()

    @property
    def live(self) -> tuple[Instance, ...]:
        """The instances that hold a part of the machine."""
        return tuple(each for each in self.instances if each.holds_the_machine)

    def of(self, model: str) -> Instance | None:
        """The instance of a model: there is never more than one."""
        return next((each for each in self.instances if each.model == model), None)

    def get(self, instance: str) -> Instance | None:
        """The instance of that id, unless it is long gone."""
        return next((each for each in self.instances if each.id == instance), None)

    def with_(self, instance: Instance) -> "Box":
        """The box with this instance in the place of its model's; a new one comes last."""
        if self.get(instance.id):
            same = (instance if each.id == instance.id else each for each in self.instances)
            return Box(tuple(same))
        others = (each for each in self.instances if each.model != instance.model)
        return Box((*others, instance))

    def without(self, instance: str) -> "Box":
        """The box without the instance of that id."""
        return Box(tuple(each for each in self.instances if each.id != instance))
