"""A long random walk of the supervisor's machine: which states follow which, and why.

The walk is the world around the machine: clients, a person, engines that start, fail, hang and
end, memory that comes back, time. It answers each effect as a driver could, in any order.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sparkwell.core.errors import ConflictError
from sparkwell.core.launch import ExitRecord
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.supervisor import messages as says
from sparkwell.supervisor.box import Box, Instance, Leaving, Request, State
from sparkwell.supervisor.machine import step
from sparkwell.supervisor.terms import BackEnd, Budget, Policy, Terms

SEED = 5
STEPS = 60_000
TERMS = {
    "large": Terms(60, 60, 20.0, idle_s=200.0),
    "naps": Terms(50, 50, 10.0, idle_s=150.0, back_end=BackEnd.SLEEP_1, asleep_bytes=30),
    "small": Terms(30, 30, 5.0, priority=1),
}
POLICY = Policy(min_residency_s=10, quiet_s=2, patience_s=20, max_wait_s=300, max_waiting=8)
STOPPED = ExitRecord(None, 15, requested=True, ended_at=0.0)
CRASHED = ExitRecord(1, None, requested=False, ended_at=0.0)
NOTHING = "nothing"
_TOLD = {  # what the box tells of an instance that it moves by itself
    "instance.idle": "idle for its time",
    "instance.outgrown": "too large to wake beside the others",
}
_MOVES = {  # why it does so else, by what becomes of the instance
    ("draining", "ready"): "nobody waits for the other model",
    ("draining", "stopping"): "nobody uses it any more",
    ("draining", "sleeping"): "nobody uses it any more",
    ("queued", "starting"): "the turn is free",
}
_BY_WHERE_TO = {
    "draining": "another model needs the room",
    "sleeping": "another model needs the room",
    "stopping": "another model needs the room",
    "preparing": "it is next",
    "waking": "it is next",
}


def label(instance: Instance | None) -> str:
    """The state of an instance as the pages name it: a start has three parts."""
    if instance is None:
        return NOTHING
    if instance.state is State.FAILED and instance.lost:
        return "lost"
    if instance.state is State.STARTING and not instance.launched:
        return "queued" if instance.phase is Phase.QUEUE else "preparing"
    return instance.state.value


@dataclass
class Seen:
    """All that was seen of one change of state."""

    times: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)


Transitions = dict[tuple[str, str], Seen]


@dataclass
class Walk:
    """The world and what was seen of the machine in it."""

    chance: random.Random
    box: Box = field(default_factory=lambda: Box(budget=Budget(100), policy=POLICY, seed="w"))
    now: float = 0.0
    number: int = 0
    leases: list[str] = field(default_factory=list)
    owed: list[says.Effect] = field(default_factory=list)
    seen: Transitions = field(default_factory=dict)

    def tell(self, event: says.Event) -> None:
        """Let the machine take a step, and note what changed."""
        before = self.box
        try:
            self.box, effects = step(before, event, self.now)
        except ConflictError:
            return
        for model in TERMS:
            self._note(before, event, effects, model)
        for effect in effects:
            if isinstance(effect, says.Grant):
                self.leases.append(effect.instance)
            elif not isinstance(effect, says.Tell | says.Refuse):
                self.owed.append(effect)
        if isinstance(event, says.Lost) and self.chance.random() < 0.7:  # it ends after all
            self.owed.append(says.Terminate(event.instance))

    def _note(
        self, before: Box, event: says.Event, effects: tuple[says.Effect, ...], model: str
    ) -> None:
        old, new = label(before.of(model)), label(self.box.of(model))
        if old == new:
            return
        seen = self.seen.setdefault((old, new), Seen())
        seen.times += 1
        seen.causes[_cause(before, event, effects, model, (old, new))] += 1
        seen.effects.update(set(_effects_on(before, self.box, effects, model)))

    # ── what happens ────────────────────────────────────────────────────────────────────────

    def go(self) -> None:
        """One thing happens: mostly an effect is answered."""
        if self.owed and self.chance.random() < 0.55:
            self._answer(self.owed.pop(self.chance.randrange(len(self.owed))))
            return
        self.chance.choices(
            (self._ask, self._release, self._time, self._crash, self._person, self._leave),
            (30, 25, 25, 2, 4, 5),
        )[0]()

    def _answer(self, effect: says.Effect) -> None:
        good = self.chance.random() < 0.85
        match effect:
            case says.Prepare():
                self._prepare(effect, good=good)
            case says.Launch(instance=instance) | says.Follow(instance=instance, asleep=False):
                self._start(instance, good=good)
            case says.Wake(instance=instance):
                self.tell(says.Answered(instance) if good else says.Failed(instance, "no token"))
            case says.PutToSleep(instance=instance):
                self.tell(says.Slept(instance) if good else says.Failed(instance, "no sleep"))
            case says.Terminate(instance=instance):
                self._end(instance)
            case says.Settle(instance=instance):
                self.tell(says.Settled(instance))

    def _prepare(self, wanted: says.Prepare, *, good: bool) -> None:
        known = self.box.get(wanted.instance)
        if known and known.state is State.STOPPING:
            self.tell(says.Withdrawn(wanted.instance))
        elif good:
            self.tell(says.Prepared(wanted.instance, known.held_bytes if known else None))
        else:
            self.tell(says.NotLaunched(wanted.instance, "no image"))

    def _start(self, instance: str, *, good: bool) -> None:
        self.tell(says.Progressed(instance, PhaseMark(Phase.WEIGHTS)))
        ends = [
            says.NotLaunched(instance, "no port"),
            says.Failed(instance, "no token"),
            says.Ended(instance, CRASHED),
        ]
        self.tell(says.Answered(instance) if good else self.chance.choice(ends))

    def _end(self, instance: str) -> None:
        if any(isinstance(e, says.Prepare) and e.instance == instance for e in self.owed):
            return  # what prepares it answers
        lost = self.chance.random() < 0.05
        self.tell(says.Lost(instance, "no driver") if lost else says.Ended(instance, STOPPED))

    def _ask(self) -> None:
        self.number += 1
        model = self.chance.choice(list(TERMS))
        wait_s = self.chance.choice((10.0, 60.0, 300.0))
        priority = self.chance.choice((0, 0, 1))
        request = Request(self.number, model, self.now, self.now + wait_s, TERMS[model], priority)
        self.tell(says.Asked(request))

    def _release(self) -> None:
        if self.leases:
            place = self.chance.randrange(len(self.leases))
            self.tell(says.Released(self.leases.pop(place)))

    def _time(self) -> None:
        self.now += self.chance.choice((0.5, 3.0, 12.0, 25.0, 160.0))
        self.tell(says.Tick())

    def _crash(self) -> None:
        running = [each for each in self.box.live if each.launched]
        if not running:
            return
        instance = self.chance.choice(running).id
        how: tuple[Callable[[], says.Event], ...] = (
            lambda: says.Ended(instance, CRASHED),
            lambda: says.Hung(instance, "no token"),
            lambda: says.Lost(instance, "no driver"),
        )
        self.tell(self.chance.choices(how, (4, 2, 1))[0]())

    def _person(self) -> None:
        self.number += 1
        model = self.chance.choice(list(TERMS))
        terms = TERMS[model]
        ran = Leaving(model, terms, kept=True)
        self.tell(
            self.chance.choice(
                (
                    says.Up(model, f"{model}-u{self.number}", terms, terms.most_bytes),
                    says.Down(model),
                    says.Wanted((ran,)),
                    self._found(model),
                )
            )
        )

    def _found(self, model: str) -> says.Event:
        """An engine that an earlier daemon left, where the model has none."""
        known = self.box.of(model)
        if known and (known.holds_the_machine or known.lost):
            return says.Tick()
        held = sum(each.now_held_bytes or 0 for each in self.box.live)
        terms = TERMS[model]
        if held + (terms.most_bytes or 0) > 100 or self.box.turn_taken:
            return says.Tick()
        asleep = terms.back_end is not BackEnd.COLD and self.chance.random() < 0.5
        name = f"{model}-f{self.number}"
        return says.Adopted(model, name, terms, terms.most_bytes, asleep=asleep)

    def _leave(self) -> None:
        if self.box.waiting:
            self.tell(says.Left(self.chance.choice(self.box.waiting).id))


def transitions(seed: int = SEED, steps: int = STEPS) -> Transitions:
    """Every change of state of an instance that a walk of so many steps has seen."""
    walk = Walk(random.Random(seed))
    for _ in range(steps):
        walk.go()
    return walk.seen


def _cause(
    before: Box,
    event: says.Event,
    effects: Iterable[says.Effect],
    model: str,
    change: tuple[str, str],
) -> str:
    """What made it change: an event of its own, or why the box then did it by itself."""
    for effect in effects:
        told = isinstance(effect, says.Tell) and effect.instance is not None
        if told and effect.instance.model == model and effect.kind in _TOLD:
            return _TOLD[effect.kind]
    if model in _models_of(before, event):
        return f"`{type(event).__name__}`"
    return _MOVES.get(change) or _BY_WHERE_TO.get(change[1]) or "another model's event"


def _models_of(before: Box, event: says.Event) -> tuple[str, ...]:
    match event:
        case says.Asked(request=request):
            return (request.model,)
        case says.Left() | says.Tick() | says.Closed() | says.Settled() | says.Released():
            return ()
        case says.Wanted(models=models):
            return tuple(each.model for each in models)
        case says.Up(model=model) | says.Adopted(model=model) | says.Down(model=str(model)):
            return (model,)
        case says.Down():
            return tuple(TERMS)
        case _:
            instance = before.get(event.instance)
            return (instance.model,) if instance else ()


def _effects_on(before: Box, after: Box, effects: Iterable[says.Effect], model: str) -> list[str]:
    ids = {each.id for box in (before, after) for each in box.instances if each.model == model}
    waiting = {each.id for each in before.waiting if each.model == model}
    found = []
    for effect in effects:
        match effect:
            case says.Tell(kind=kind, instance=instance, model=named):
                if model == (instance.model if instance else named):
                    found.append(f"`{kind}`")
            case says.Refuse(request=request) | says.Grant(request=request):
                if request in waiting:
                    found.append(f"**{type(effect).__name__}**")
            case _:
                if effect.instance in ids:
                    found.append(f"**{type(effect).__name__}**")
    return found
