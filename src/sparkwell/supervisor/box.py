"""The state of the machine, as values: who holds it, who waits for it, who is held back."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sparkwell.supervisor.breaker import Breaker
from sparkwell.supervisor.instance import Instance, Leave, State
from sparkwell.supervisor.quick import changer
from sparkwell.supervisor.terms import NO_BUDGET, USUAL_POLICY, Budget, Policy, Terms

__all__ = ["Box", "Instance", "Leave", "Leaving", "Request", "State", "Switch"]


@dataclass(frozen=True, slots=True)
class Request:
    """A request that waits for its model. ``at`` and ``until`` are monotonic seconds."""

    id: int
    model: str
    at: float
    until: float
    terms: Terms
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Leaving:
    """A model that makes room, and what it would come back with."""

    model: str
    terms: Terms
    kept: bool


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch under way: to which model, who leaves for it, and since when (monotonic seconds).

    ``told_long`` says that everybody knows by now how long it waits for running requests.
    """

    to: str
    leaving: tuple[Leaving, ...]
    since: float
    told_long: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """The state of the whole machine.

    ``instances`` has for each model its live instance, or the last that failed, in the order of
    starting. ``waiting`` are requests in the order of their coming. ``settling`` names
    instances that have ended and whose memory has not come back yet. ``comebacks`` are models that
    are to be started again: after a crash, or because the one that they made room for failed.
    ``seed`` and ``begun`` make the ids of instances that the box begins by itself. ``closing``
    says that the daemon ends: nothing starts any more, also what is prepared.
    """

    instances: tuple[Instance, ...] = ()
    waiting: tuple[Request, ...] = ()
    breakers: tuple[Breaker, ...] = ()
    comebacks: tuple[Leaving, ...] = ()
    switch: Switch | None = None
    settling: tuple[str, ...] = ()
    seed: str = ""
    begun: int = 0
    budget: Budget = NO_BUDGET
    policy: Policy = USUAL_POLICY
    closing: bool = False

    @property
    def live(self) -> tuple[Instance, ...]:
        """The instances that hold a part of the machine."""
        return tuple(each for each in self.instances if each.holds_the_machine)

    @property
    def changing(self) -> bool:
        """Whether an instance is just changing how much of the machine it holds."""
        return any(each.has_the_turn for each in self.instances)

    @property
    def turn_taken(self) -> bool:
        """Whether the machine's memory is just changing hands, or still coming back."""
        return bool(self.settling) or self.changing

    def of(self, model: str) -> Instance | None:
        """The instance of a model: there is never more than one."""
        return next((each for each in self.instances if each.model == model), None)

    def get(self, instance: str) -> Instance | None:
        """The instance of that id, unless it is long gone."""
        return next((each for each in self.instances if each.id == instance), None)

    def breaker(self, model: str) -> Breaker | None:
        """What is held against a model."""
        return next((each for each in self.breakers if each.model == model), None)

    def waiting_for(self, model: str) -> tuple[Request, ...]:
        """The requests that wait for a model, the oldest first."""
        return tuple(each for each in self.waiting if each.model == model)

    def with_(self, instance: Instance) -> "Box":
        """The box with this instance in the place of its model's; a new one comes last."""
        if self.get(instance.id):
            same = [instance if each.id == instance.id else each for each in self.instances]
            return _with_instances(self, tuple(same))
        others = (each for each in self.instances if each.model != instance.model)
        return replace(self, instances=(*others, instance))

    def without(self, instance: str) -> "Box":
        """The box without the instance of that id."""
        return replace(
            self, instances=tuple(each for each in self.instances if each.id != instance)
        )

    def without_requests(self, gone: Iterable[int]) -> "Box":
        """The box without these waiting requests."""
        ids = frozenset(gone)
        if not ids:
            return self
        return replace(self, waiting=tuple(each for each in self.waiting if each.id not in ids))

    def with_breaker(self, breaker: Breaker) -> "Box":
        """The box with this breaker in the place of its model's."""
        return replace(self, breakers=(*self._other_breakers(breaker.model), breaker))

    def without_breaker(self, model: str) -> "Box":
        """The box with nothing held against a model."""
        return replace(self, breakers=self._other_breakers(model))

    def without_comeback(self, model: str) -> "Box":
        """The box in which a model is not waited to come back."""
        others = tuple(each for each in self.comebacks if each.model != model)
        return replace(self, comebacks=others)

    def _other_breakers(self, model: str) -> tuple[Breaker, ...]:
        return tuple(each for each in self.breakers if each.model != model)


_with_instances = changer(Box, "instances")
