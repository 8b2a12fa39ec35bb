"""Random requests, failures and times against the pure machine; what must hold always, holds."""

import math
from collections.abc import Callable
from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sparkwell.core.errors import ConflictError, WaitExceededError
from sparkwell.core.launch import ExitRecord
from sparkwell.supervisor import messages
from sparkwell.supervisor.box import Box, Leaving, Request, State
from sparkwell.supervisor.machine import step
from sparkwell.supervisor.queue import next_chance
from sparkwell.supervisor.room import holding, promised_bytes
from sparkwell.supervisor.terms import PERSON, BackEnd, Budget, Policy, Terms

MODELS = ("a", "b", "c", "d", "big", "pinned", "naps", "naps-deep")
GB = 1_000_000_000
TERMS = {
    "a": Terms(60 * GB, 80 * GB, 20.0),
    "b": Terms(50 * GB, 50 * GB, 5.0, priority=1),
    "c": Terms(30 * GB, 90 * GB, None, idle_s=40.0),
    "d": Terms(10 * GB, 10 * GB, 2.0),
    "big": Terms(100 * GB, 100 * GB, 60.0),
    "pinned": Terms(20 * GB, 20 * GB, 4.0, pinned=True),
    "naps": Terms(40 * GB, 60 * GB, 8.0, back_end=BackEnd.SLEEP_1, asleep_bytes=30 * GB),
    "naps-deep": Terms(70 * GB, 70 * GB, 8.0, back_end=BackEnd.SLEEP_2, asleep_bytes=2 * GB),
}
BUDGET = Budget(110 * GB)
POLICY = Policy(
    min_residency_s=10.0, quiet_s=2.0, patience_s=20.0, max_wait_s=300.0, max_waiting=30
)
ENDED = ExitRecord(1, None, requested=False, ended_at=0.0)
STOPPED = ExitRecord(None, 15, requested=True, ended_at=0.0)
OUTCOMES = ["ready", "ready", "ready", "fails", "dies", "hangs"]
PRIORITIES = st.sampled_from([0, 0, 1, 2, -100, 100, PERSON])
"""The last is that of `up --switch`."""
models = st.sampled_from(MODELS)


class BoxMachine(RuleBasedStateMachine):
    """The environment of the machine: it answers effects in any order, well or badly."""

    def __init__(self) -> None:
        super().__init__()
        self.box = Box(budget=BUDGET, policy=POLICY, seed="s")
        self.now = 100.0
        self.number = 0
        self.accepted: set[int] = set()  # requests that wait, by what their client knows
        self.leases: list[str] = []  # instances by lease
        self.preparing: list[messages.Prepare] = []
        self.starting: list[str] = []  # a driver was asked to start them, or to wake them
        self.running: list[str] = []  # engines with processes
        self.stopping: list[str] = []
        self.dozing: list[str] = []
        self.settling: list[str] = []
        self.adopted: set[str] = set()
        self.forced: set[str] = set()  # found again, nobody knows any more that they were
        self.patient = False

    # ── the machine and its effects ─────────────────────────────────────────────────────────

    def tell(self, event: messages.Event) -> None:
        before = self.box
        self.box, effects = step(self.box, event, self.now)
        meant = isinstance(event, (messages.Down, messages.Hung, messages.Failed))
        for effect in effects:
            self.carry_out(effect, None if meant else before)

    def carry_out(self, effect: messages.Effect, before: Box | None) -> None:  # noqa: C901
        match effect:
            case messages.Prepare():
                self.preparing.append(effect)
            case messages.Launch(instance=instance):
                assert instance not in self.running
                self.starting.append(instance)
                self.running.append(instance)
            case messages.Wake(instance=instance):
                assert instance in self.running
                self.starting.append(instance)
            case messages.PutToSleep(instance=instance):
                assert instance not in self.leases, "put to sleep while it serves"
                self.dozing.append(instance)
            case messages.Terminate(instance=instance):
                self.terminate(instance, before)
            case messages.Settle(instance=instance):
                self.settling.append(instance)
            case messages.Grant(request=request, instance=instance):
                assert request in self.accepted, "a lease for nobody"
                self.accepted.remove(request)
                self.leases.append(instance)
            case messages.Refuse(request=request, message=message, kind=kind):
                assert request in self.accepted, "an error for nobody"
                assert message
                assert not (self.patient and kind is WaitExceededError), "starved"
                self.accepted.remove(request)
            case messages.Follow() | messages.Tell():
                pass

    def terminate(self, instance: str, before: Box | None) -> None:
        """What serves ends only because a person, or a fault, wants that: never to make room."""
        was = before.get(instance) if before else None
        if was and not was.cut and was.state is not State.STARTING:
            assert instance not in self.leases, "evicted while it serves"
        self.stopping.append(instance)

    def forget(self, instance: str) -> None:
        for known in (self.starting, self.running, self.stopping, self.dozing):
            while instance in known:
                known.remove(instance)

    # ── what happens ────────────────────────────────────────────────────────────────────────

    @rule(model=models, priority=PRIORITIES, wait=st.sampled_from([5.0, 60.0, 300.0]))
    def a_request_comes(self, model: str, priority: int, wait: float) -> None:
        self.number += 1
        self.accepted.add(self.number)
        terms = TERMS[model]
        request = Request(self.number, model, self.now, self.now + wait, terms, priority)
        self.tell(messages.Asked(request))

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def a_client_goes(self, data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from(sorted(self.accepted)))
        self.accepted.remove(gone)
        self.tell(messages.Left(gone))

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def a_request_is_done(self, data: st.DataObject) -> None:
        instance = self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))
        self.tell(messages.Released(instance))

    @rule(seconds=st.sampled_from([0.1, 1.0, 3.0, 15.0, 61.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.tell(messages.Tick())

    @rule(model=models, forced=st.booleans())
    def a_person_wants(self, model: str, forced: bool) -> None:
        self.number += 1
        held = TERMS[model].most_bytes
        up = messages.Up(model, f"{model}-up{self.number}", TERMS[model], held, forced=forced)
        try:
            self.tell(up)
        except ConflictError:
            return

    @precondition(lambda self: any(each.lost for each in self.box.instances))
    @rule()
    def a_person_wants_one_whose_end_could_not_be_seen_to(self) -> None:
        lost = next(each for each in self.box.instances if each.lost)
        self.a_person_wants(lost.model, forced=False)

    @rule(wanted=st.lists(models, min_size=1, max_size=3, unique=True))
    def what_ran_before_is_wanted(self, wanted: list[str]) -> None:
        ran = tuple(Leaving(model, TERMS[model], kept=True) for model in wanted)
        self.tell(messages.Wanted(ran))

    @precondition(lambda self: self.box.instances)
    @rule()
    def the_daemon_is_killed(self) -> None:
        """A new one takes over what runs; who waited has to ask again."""
        found = [each for each in holding(self.box) if each.id in self.running]
        asleep = [each.id for each in found if each.state is State.ASLEEP]
        for known in (self.leases, self.preparing, self.stopping, self.dozing, self.settling):
            known.clear()
        self.accepted.clear()
        self.starting = [each.id for each in found if each.id not in asleep]
        self.running = [each.id for each in found]
        self.adopted.update(self.running)
        self.forced.update(each.id for each in found if each.forced)
        self.number += 1
        self.box = Box(budget=BUDGET, policy=POLICY, seed=f"s{self.number}-")
        for each in found:
            adopted = messages.Adopted(each.model, each.id, each.terms, each.held_bytes)
            self.tell(replace(adopted, asleep=each.id in asleep))

    @rule(model=st.one_of(st.none(), models))
    def a_person_stops(self, model: str | None) -> None:
        self.tell(messages.Down(model))

    @precondition(lambda self: self.preparing)
    @rule(works=st.booleans(), smaller=st.booleans())
    def a_start_is_prepared(self, works: bool, smaller: bool) -> None:
        wanted = self.preparing.pop(0)
        if wanted.instance in self.stopping and not works:
            self.forget(wanted.instance)
            self.tell(messages.Withdrawn(wanted.instance))
        elif works:
            self.forget(wanted.instance)
            held = self.held(wanted.instance)
            self.tell(messages.Prepared(wanted.instance, held and (held // 2 if smaller else held)))
        else:
            self.tell(messages.NotLaunched(wanted.instance, "no spec"))

    @precondition(lambda self: self.starting)
    @rule(data=st.data(), how=st.sampled_from(OUTCOMES))
    def a_start_goes_on(self, data: st.DataObject, how: str) -> None:
        instance = data.draw(st.sampled_from(self.starting))
        self.starting.remove(instance)
        if how == "dies":
            self.forget(instance)
            self.tell(messages.Ended(instance, ENDED))
        elif how == "fails":
            self.tell(messages.Failed(instance, "no token"))
        else:
            self.tell(messages.Answered(instance))
            if how == "hangs":
                self.tell(messages.Hung(instance, "no token for long"))

    @precondition(lambda self: self.stopping)
    @rule(data=st.data(), lost=st.sampled_from([False, False, False, True]))
    def a_stop_is_done(self, data: st.DataObject, lost: bool) -> None:
        instance = data.draw(st.sampled_from(self.stopping))
        if any(each.instance == instance for each in self.preparing):
            return  # its preparation answers
        if lost:
            self.stopping.remove(instance)
            self.tell(messages.Lost(instance, "nobody answers"))
            return
        before = self.box
        self.forget(instance)
        self.tell(messages.Ended(instance, STOPPED))
        self.assert_that_waking_counts_nothing(before, instance)

    def assert_that_waking_counts_nothing(self, before: Box, instance: str) -> None:
        """That an engine cannot be woken says nothing about a start of it."""
        was = before.get(instance)
        if was and was.unwoken and not was.tripped:
            assert self.box.breaker(was.model) == before.breaker(was.model)

    @precondition(lambda self: self.dozing)
    @rule(works=st.booleans())
    def it_has_gone_to_sleep(self, works: bool) -> None:
        instance = self.dozing.pop(0)
        self.tell(messages.Slept(instance) if works else messages.Failed(instance, "no sleep"))

    @precondition(lambda self: self.settling)
    @rule()
    def memory_has_come_back(self) -> None:
        self.tell(messages.Settled(self.settling.pop(0)))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), guard=st.booleans())
    def an_engine_dies(self, data: st.DataObject, guard: bool) -> None:
        instance = data.draw(st.sampled_from(self.running))
        if guard:
            self.tell(messages.Tripped(instance, "MemAvailable under the floor"))
        self.forget(instance)
        self.tell(messages.Ended(instance, ENDED))

    # ── what must hold ──────────────────────────────────────────────────────────────────────

    @invariant()
    def memory_promised_is_within_the_budget(self) -> None:
        if any(each.forced or each.id in self.forced for each in self.box.instances):
            return
        promised = promised_bytes(holding(self.box))
        assert promised is not None
        assert promised <= (BUDGET.total_bytes or 0)

    @invariant()
    def every_engine_that_runs_is_counted(self) -> None:
        """So what really runs is within the budget: also one whose end could not be seen to."""
        assert set(self.running) <= {each.id for each in holding(self.box)}

    @invariant()
    def one_at_a_time_changes_the_memory(self) -> None:
        """But for what a killed daemon left running: it is there, whoever looks at it."""
        begun = [each for each in self.box.instances if each.id not in self.adopted]
        assert sum(each.has_the_turn for each in begun) <= 1

    @invariant()
    def a_model_has_one_instance(self) -> None:
        names = [each.model for each in self.box.instances]
        assert len(names) == len(set(names))

    @invariant()
    def whoever_was_accepted_waits_or_was_answered(self) -> None:
        assert {each.id for each in self.box.waiting} == self.accepted

    @invariant()
    def the_box_counts_who_is_served(self) -> None:
        for each in self.box.live:
            if each.state is State.READY:
                assert each.serving == self.leases.count(each.id)

    @invariant()
    def a_pinned_model_is_never_made_to_leave(self) -> None:
        pinned = self.box.of("pinned")
        assert pinned is None or pinned.leave is None or pinned.cut

    @invariant()
    def who_is_made_to_leave_while_it_serves_is_in_the_switch(self) -> None:
        """Also one that has to leave after it began: else it would not come back if it fails."""
        leaving = self.box.switch.leaving if self.box.switch else ()
        names = [each.model for each in leaving]
        assert len(names) == len(set(names))
        for each in self.box.instances:
            if each.state is State.DRAINING and each.serving and not each.cut:
                assert each.model in names

    @invariant()
    def nobody_waits_for_a_ready_model(self) -> None:
        for each in self.box.waiting:
            instance = self.box.of(each.model)
            assert instance is None or instance.state is not State.READY

    def teardown(self) -> None:
        """Left to itself, with everything working, the box serves whoever waits, however long.

        Or tells at once that it cannot: beside a pinned model, or one that failed.
        """
        self.patient = True
        waiting = (replace(each, until=math.inf) for each in self.box.waiting)
        self.box = replace(self.box, waiting=tuple(waiting))
        for _ in range(3000):
            if not self.accepted and self.is_quiet():
                break
            self.let_one_thing_happen()
        assert not self.accepted, f"starved: {self.box}"
        assert self.is_quiet()

    def is_quiet(self) -> bool:
        pending = (self.preparing, self.stopping, self.dozing, self.settling, self.starting)
        return not any(pending) and self.box.switch is None

    def let_one_thing_happen(self) -> None:
        """The oldest effect is answered well; else a lease comes back; else time passes."""
        answers: list[tuple[list[str], Callable[[str], messages.Event]]] = [
            (self.settling, messages.Settled),
            (self.dozing, messages.Slept),
        ]
        for pending, event in answers:
            if pending:
                self.tell(event(pending.pop(0)))
                return
        unborn = {each.instance for each in self.preparing}
        running = [each for each in self.stopping if each not in unborn]
        if running:
            self.forget(running[0])
            self.tell(messages.Ended(running[0], STOPPED))
        elif self.starting:
            self.tell(messages.Answered(self.starting.pop(0)))
        elif self.preparing:
            self.prepare_one()
        elif self.leases:
            self.tell(messages.Released(self.leases.pop()))
        else:
            self.wait_for_the_next_chance()

    def prepare_one(self) -> None:
        wanted = self.preparing.pop(0)
        if wanted.instance in self.stopping:
            self.forget(wanted.instance)
            self.tell(messages.Withdrawn(wanted.instance))
        else:
            self.tell(messages.Prepared(wanted.instance, self.held(wanted.instance)))

    def held(self, instance: str) -> int | None:
        """What a start may hold."""
        started = self.box.get(instance)
        return started.held_bytes if started else None

    def wait_for_the_next_chance(self) -> None:
        at = next_chance(self.box, self.now)
        stuck = at is None or at == math.inf
        assert not (stuck and self.accepted), f"nobody will look again: {self.box}"
        self.now = max(self.now + 0.001, at if at is not None else self.now)
        self.tell(messages.Tick())


TestBox = BoxMachine.TestCase
TestBox.settings = settings(
    max_examples=150,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def test_an_unknown_size_is_never_beside_another() -> None:
    unknown = replace(TERMS["a"], least_bytes=None, most_bytes=None)
    box = Box(budget=BUDGET, policy=POLICY, seed="s")
    box, _ = step(box, messages.Asked(Request(1, "d", 0.0, 100.0, TERMS["d"])), 0.0)
    box, _ = step(box, messages.Asked(Request(2, "a", 0.0, 100.0, unknown)), 0.0)
    assert [each.model for each in box.live] == ["d"]
