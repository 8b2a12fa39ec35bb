"""A box that is told of one event after the other, with its clock in a test's hands."""

from collections.abc import Iterable
from dataclasses import replace

from sparkwell.core.launch import ExitRecord
from sparkwell.supervisor import messages as says
from sparkwell.supervisor.box import Box, Instance, Request, State
from sparkwell.supervisor.machine import step
from sparkwell.supervisor.messages import Effect, Event, Tell
from sparkwell.supervisor.terms import BackEnd, Budget, Policy, Terms

POLICY = Policy(min_residency_s=15.0, quiet_s=2.0, patience_s=60.0, max_wait_s=1800.0)
A = Terms(60, 60, 10.0)
B = Terms(50, 80, 20.0)
NAPS = Terms(60, 60, 10.0, back_end=BackEnd.SLEEP_1, asleep_bytes=10)
STOPPED = ExitRecord(None, 15, requested=True, ended_at=0.0)
CRASHED = ExitRecord(1, None, requested=False, ended_at=0.0)


def instance(model: str, terms: Terms, **changes: object) -> Instance:
    """Ready for long, and unused for long."""
    one = Instance(
        f"i-{model}",
        model,
        State.READY,
        terms=terms,
        held_bytes=terms.most_bytes,
        ready_at=0.0,
        idle_since=0.0,
    )
    return replace(one, **changes)  # type: ignore[arg-type]


class Story:
    """A box and its clock; ``told`` are the kinds of the events of the last step."""

    def __init__(self, *there: Instance, now: float = 1000.0, policy: Policy = POLICY) -> None:
        self.box = Box(there, budget=Budget(100), policy=policy, seed="s")
        self.now = now
        self.effects: tuple[Effect, ...] = ()
        self.numbers = iter(range(1, 1000))

    def tell(self, event: Event, after_s: float = 0.0) -> "Story":
        self.now += after_s
        self.box, self.effects = step(self.box, event, self.now)
        return self

    def ask(self, model: str, terms: Terms, priority: int = 0) -> int:
        number = next(self.numbers)
        until = self.now + POLICY.max_wait_s
        self.tell(says.Asked(Request(number, model, self.now, until, terms, priority)))
        return number

    @property
    def told(self) -> list[str]:
        return [each.kind for each in self.effects if isinstance(each, Tell)]

    def words(self, kind: str) -> Tell:
        """The event of this kind that the last step told."""
        return next(e for e in self.effects if isinstance(e, Tell) and e.kind == kind)

    def done(self, kind: type[Effect]) -> list[Effect]:
        return [each for each in self.effects if isinstance(each, kind)]

    def state(self, model: str) -> State | None:
        found = self.box.of(model)
        return found.state if found else None

    def ends(self, instance: str, record: ExitRecord = STOPPED) -> "Story":
        """It has ended, and its memory has come back."""
        self.tell(says.Ended(instance, record))
        effects = self.effects
        self.tell(says.Settled(instance))
        self.effects = (*effects, *self.effects)
        return self

    def starts(self, instance: str, held: int | None = 50) -> "Story":
        """It is prepared, and answers."""
        self.tell(says.Prepared(instance, held))
        return self.tell(says.Answered(instance), 5.0)


def kinds(effects: Iterable[Effect]) -> list[str]:
    return [each.kind if isinstance(each, Tell) else type(each).__name__ for each in effects]
