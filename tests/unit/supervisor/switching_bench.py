"""A supervisor that starts models by itself, with everything around it in a test's hands."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from tests.unit.supervisor.test_actor import HandWatch, until

from sparkwell.core.errors import ConflictError, SparkwellError
from sparkwell.core.events import Event
from sparkwell.core.launch import BACK_END, HELD, LaunchSpec
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.aides import OnMark, Prepare, Provide
from sparkwell.supervisor.box import State
from sparkwell.supervisor.breaker import Breaker
from sparkwell.supervisor.journal import Journal
from sparkwell.supervisor.liveness import Rules
from sparkwell.supervisor.terms import BackEnd, Budget, Policy, Terms
from sparkwell.supervisor.tickets import Ticket
from sparkwell.testing.memory_driver import MemoryDriver

AT_ONCE = Policy(min_residency_s=0.0, quiet_s=0.0, patience_s=0.0)
"""Nobody stays for its own sake, and nobody has to be patient."""
BIG = Terms(least_bytes=60, most_bytes=60)
"""Of two such models one fits into the budget of 100."""
SMALL = Terms(least_bytes=20, most_bytes=20)


@dataclass
class Written:
    """One intent; ``outcome`` is None while it is open."""

    kind: str
    model: str | None
    data: Mapping[str, object]
    outcome: str | None = None


class Notes:
    """The intents, in memory."""

    def __init__(self) -> None:
        self.all: list[Written] = []

    def begin(
        self,
        kind: str,
        model: str | None = None,
        instance: str | None = None,
        data: Mapping[str, object] | None = None,
    ) -> int:
        self.all.append(Written(kind, model, data or {}))
        return len(self.all) - 1

    def finish(self, intent: int, outcome: str) -> None:
        assert self.all[intent].outcome is None, "finished twice"
        self.all[intent].outcome = outcome

    def of(self, kind: str) -> list[tuple[str | None, str | None]]:
        return [(each.model, each.outcome) for each in self.all if each.kind == kind]


@dataclass
class Starts:
    """Starts that nobody named. ``asked`` says with what; ``refusal`` fails all of them."""

    bench: "Bench"
    asked: list[tuple[str, Mapping[str, str] | None, Mapping[str, int]]] = field(
        default_factory=list
    )
    refusal: SparkwellError | None = None

    async def start(
        self, model: str, before: Mapping[str, str] | None, beside: Mapping[str, int]
    ) -> tuple[Prepare, Provide]:
        self.asked.append((model, before, dict(beside)))
        if self.refusal:
            raise self.refusal
        made: list[LaunchSpec] = []

        def prepare(instance: str) -> LaunchSpec:
            made.append(self.bench.spec(instance, model))
            return made[0]

        async def provide(_on_mark: OnMark) -> LaunchSpec:
            await self.bench.fetched.wait()
            return made[0]

        return prepare, provide

    def terms(self, spec: LaunchSpec, *, kept: bool) -> Terms:
        return Terms(
            idle_s=None if kept else 1800.0,
            least_bytes=spec.held_bytes,
            most_bytes=spec.held_bytes,
            back_end=BackEnd(spec.labels.get(BACK_END, "cold")),
            asleep_bytes=5,
        )


class Room:
    """The machine's memory: ``refusal`` keeps starts from it, ``back`` is set when it is free."""

    def __init__(self) -> None:
        self.refusal: ConflictError | None = None
        self.fault: Exception | None = None
        self.back = asyncio.Event()
        self.back.set()
        self.ended: list[str] = []

    async def before_launch(self, spec: LaunchSpec) -> None:
        if self.refusal:
            raise self.refusal

    async def after_end(self, instance: str, model: str) -> None:
        self.ended.append(model)
        if self.fault:
            raise self.fault
        await self.back.wait()


class Bench:
    """``held`` is what models hold by their plans, ``labels`` what their specs carry besides."""

    def __init__(
        self,
        policy: Policy = AT_ONCE,
        *,
        budget: int | None = 100,
        liveness: Rules | None = None,
        hear: Callable[[Event], None] | None = None,
        breakers: Sequence[Breaker] = (),
    ) -> None:
        numbers, ticks = count(1), count(100)
        self.held = {"a": 60, "b": 60, "c": 20, "d": 20}
        self.labels: dict[str, dict[str, str]] = {}
        self.fetched = asyncio.Event()
        self.fetched.set()
        self.driver = MemoryDriver()
        self.journal = Journal(lambda: float(next(ticks)), sink=hear)
        self.watch = HandWatch(self.driver)
        self.watch.metrics.set()
        self.notes, self.starts, self.room = Notes(), Starts(self), Room()
        self.supervisor = Supervisor(
            self.driver,
            self.journal,
            self.watch,
            new_id=lambda model: f"{model}-{next(numbers)}",
            policy=policy,
            budget=Budget(budget),
            memory=self.room,
            intents=self.notes,
            on_demand=self.starts,
            liveness=liveness,
            breakers=breakers,
        )

    def spec(self, instance: str, model: str) -> LaunchSpec:
        labels = {HELD: str(self.held[model]), **self.labels.get(model, {})}
        endpoint = self.driver.endpoint(instance)
        return LaunchSpec(instance, model, "vllm", "1", ("engine",), endpoint, labels=labels)

    def terms(self, model: str) -> Terms:
        return Terms(least_bytes=self.held[model], most_bytes=self.held[model])

    def ask(self, model: str, terms: Terms | None = None, *, priority: int = 0) -> Ticket:
        """A client's request."""
        wanted = terms or self.terms(model)
        return self.supervisor.ensure_ready(model, lambda: wanted, priority=priority)

    def up(self, model: str, terms: Terms | None = None, *, forced: bool = False) -> str:
        """A person's wish."""
        return self.supervisor.up(
            model,
            lambda instance: self.spec(instance, model),
            terms=terms or self.terms(model),
            forced=forced,
        )

    async def launched(self, model: str) -> str:
        """The id of the model's engine, once it is being watched."""
        await until(lambda: self._is_watched(self.id_of(model)))
        return self.id_of(model)

    async def launched_by_hand(self, model: str) -> str:
        """Upped, and launched; nobody has said yet whether it becomes ready."""
        self.up(model)
        return await self.launched(model)

    async def answers(self, model: str) -> str:
        """The start that is on its way becomes ready."""
        instance = await self.launched(model)
        self.watch.outcomes[instance].set_result(None)
        await until(lambda: self._has_served(instance))
        return instance

    async def ready(self, model: str, terms: Terms | None = None) -> str:
        """Upped, and ready."""
        self.up(model, terms)
        return await self.answers(model)

    def _is_watched(self, instance: str) -> bool:
        outcome = self.watch.outcomes.get(instance)
        return outcome is not None and not outcome.done()

    def _has_served(self, instance: str) -> bool:
        """Ready, or already on its way out for somebody who is in a hurry."""
        now = self.supervisor.get(instance)
        return now is None or now.ready_at is not None

    async def used(self, model: str) -> str:
        """One request has started it, and has been served."""
        ticket = self.ask(model)
        instance = await self.answers(model)
        (await ticket.wait()).release()
        return instance

    def id_of(self, model: str) -> str:
        instance = self.supervisor.of(model)
        return instance.id if instance else ""

    def state(self, model: str) -> State | None:
        instance = self.supervisor.of(model)
        return instance.state if instance else None

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.journal.after(0)]

    @property
    def open(self) -> list[str]:
        """The kinds of the intents that nobody has finished."""
        return [each.kind for each in self.notes.all if each.outcome is None]


def with_sleep(terms: Terms) -> Terms:
    """The same for an engine that sleeps."""
    return replace(terms, back_end=BackEnd.SLEEP_1, asleep_bytes=5)
