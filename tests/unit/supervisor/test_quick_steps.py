"""Requests of a ready model are dealt with in short: it must come to what the long way gives."""

import random

import pytest

from sparkwell.core.launch import ExitRecord
from sparkwell.supervisor import machine
from sparkwell.supervisor import messages as says
from sparkwell.supervisor.box import Box, Instance, Leave, Request, State
from sparkwell.supervisor.instance import serving_now
from sparkwell.supervisor.machine import step
from sparkwell.supervisor.terms import BackEnd, Budget, Policy, Terms

POLICY = Policy(min_residency_s=2, quiet_s=1, patience_s=4, max_wait_s=30)
ENDED = ExitRecord(None, 15, requested=True, ended_at=0.0)
MODELS = ("a", "b", "c", "d")


class World:
    """A box whose effects are carried out after a while, and clients that come and go."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now, self.number = 0.0, 0
        self.box = Box(budget=Budget(10), policy=POLICY)
        self.due: list[says.Event] = []
        self.out: list[str] = []
        sizes = [self.chance.choice((3, 5, 8)) for _ in MODELS]
        self.terms = {
            model: Terms(
                least_bytes=size,
                most_bytes=size,
                idle_s=self.chance.choice((None, 3.0)),
                back_end=self.chance.choice((BackEnd.COLD, BackEnd.SLEEP_1)),
                asleep_bytes=1,
                pinned=self.chance.random() < 0.1,
            )
            for model, size in zip(MODELS, sizes, strict=True)
        }

    def next_event(self) -> says.Event:
        choice = self.chance.random()
        if choice < 0.4:
            return self.asked(self.chance.choice(MODELS))
        if choice < 0.7 and self.out:
            return says.Released(self.out.pop(self.chance.randrange(len(self.out))))
        if choice < 0.75 and self.box.waiting:
            return says.Left(self.chance.choice(self.box.waiting).id)
        if self.due:
            return self.due.pop(self.chance.randrange(len(self.due)))
        return says.Tick()

    def asked(self, model: str) -> says.Asked:
        self.number += 1
        until = self.now + POLICY.max_wait_s
        return says.Asked(Request(self.number, model, self.now, until, self.terms[model]))

    def carry_out(self, effects: tuple[says.Effect, ...]) -> None:
        for effect in effects:
            match effect:
                case says.Grant(instance=instance):
                    self.out.append(instance)
                case says.Prepare(instance=instance):
                    started = self.box.get(instance)
                    assert started
                    self.due.append(says.Prepared(instance, started.held_bytes))
                case says.Launch(instance=instance) | says.Wake(instance=instance):
                    fails = self.chance.random() < 0.1
                    self.due.append(
                        says.Ended(instance, ENDED) if fails else says.Answered(instance)
                    )
                case says.Terminate(instance=instance):
                    self.due.append(says.Ended(instance, ENDED))
                case says.PutToSleep(instance=instance):
                    self.due.append(says.Slept(instance))
                case says.Settle(instance=instance):
                    self.due.append(says.Settled(instance))

    def take(self, event: says.Event) -> None:
        self.box, effects = step(self.box, event, self.now)
        self.carry_out(effects)


@pytest.mark.parametrize("seed", range(20))
def test_the_short_way_comes_to_what_the_long_way_gives(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, short = World(seed), 0
    is_all = machine._is_all
    for _ in range(300):
        world.now += world.chance.choice((0.0, 0.0, 0.3, 1.5))
        world.take(says.Tick())  # the actor's alarm: what only time allows is done by then
        event = world.next_event()
        with monkeypatch.context() as patched:
            patched.setattr(machine, "_is_all", lambda *_of: False)
            long = step(world.box, event, world.now)
        assert step(world.box, event, world.now) == long, event
        short += is_all(world.box, machine._told(world.box, event, world.now)[0], event)
        world.take(event)
    assert short > 20  # or the test would test nothing


def instance(serving: int, leave: Leave | None = None) -> Instance:
    state = State.DRAINING if leave else State.READY
    return Instance("m-1", "m", state, serving=serving, leave=leave, ready_at=0.0)


def test_the_last_lease_of_one_that_drains_lets_it_go() -> None:
    box = Box(instances=(instance(1, Leave.STOP),))
    after, effects = step(box, says.Released("m-1"), 1.0)
    assert after.instances[0].state is State.STOPPING
    assert says.Terminate("m-1") in effects


def test_a_lease_that_comes_back_while_nobody_waits_changes_two_fields() -> None:
    for serving in (1, 2):
        box = Box(instances=(instance(serving),))
        after, effects = step(box, says.Released("m-1"), 7.0)
        assert effects == ()
        assert after.instances[0].serving == serving - 1
        assert after.instances[0].idle_since == (7.0 if serving == 1 else None)


def test_serving_now_changes_nothing_else() -> None:
    full = Instance("m-1", "m", State.READY, error="e", held_bytes=3, ready_at=1.0, tripped=True)
    assert serving_now(serving_now(full, 5, None), 0, None) == full
    assert serving_now(full, 5, 2.5).serving == 5
    assert serving_now(full, 5, 2.5).idle_since == 2.5
