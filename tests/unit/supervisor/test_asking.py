"""Requests: served at once, waiting, or refused with the reason and the time to come back."""

from dataclasses import replace

import pytest

from sparkwell.core.errors import EnvironmentFault, NotReadyError, TooBusyError, WaitExceededError
from sparkwell.core.launch import ExitRecord
from sparkwell.supervisor import messages as says
from sparkwell.supervisor.box import Box, Instance, Leave, Leaving, Request, State, Switch
from sparkwell.supervisor.breaker import Breaker
from sparkwell.supervisor.machine import step
from sparkwell.supervisor.messages import Effect, Refuse
from sparkwell.supervisor.terms import BackEnd, Budget, Policy, Terms

NOW = 1000.0
STOPPED = ExitRecord(None, 15, requested=True, ended_at=0.0)
POLICY = Policy(max_wait_s=300.0, max_waiting=3)
SIZED = Terms(60, 60, 40.0)


def request(number: int, model: str, terms: Terms = SIZED, waits_s: float = 300.0) -> Request:
    return Request(number, model, NOW, NOW + waits_s, terms)


def instance(model: str, state: State, **changes: object) -> Instance:
    one = Instance(f"i-{model}", model, state, terms=SIZED, held_bytes=60, ready_at=NOW - 100)
    return replace(one, **changes)  # type: ignore[arg-type]


BUSY = instance("a", State.READY, serving=1)


def box(*there: Instance, **changes: object) -> Box:
    now = Box(there, budget=Budget(100), policy=POLICY, seed="s")
    return replace(now, **changes)  # type: ignore[arg-type]


def ask(now: Box, asked: Request) -> tuple[Box, tuple[Effect, ...]]:
    return step(now, says.Asked(asked), NOW)


def refusal(now: Box, asked: Request) -> Refuse:
    after, effects = ask(now, asked)
    found = [each for each in effects if isinstance(each, Refuse)]
    assert len(found) == 1, effects
    assert asked not in after.waiting
    return found[0]


def test_a_ready_model_serves_at_once_also_while_others_wait() -> None:
    now = box(BUSY, waiting=(request(1, "b"),))
    after, effects = ask(now, request(2, "a"))
    assert effects == (says.Grant(2, "i-a"),)
    assert after.instances[0].serving == 2


def test_one_that_drains_takes_no_new_requests() -> None:
    draining = replace(BUSY, state=State.DRAINING, leave=Leave.STOP)
    switch = Switch("b", (Leaving("a", SIZED, kept=False),), NOW)
    now = box(draining, waiting=(request(1, "b"),), switch=switch)
    after, effects = ask(now, request(2, "a"))
    assert effects == ()
    assert [each.id for each in after.waiting] == [1, 2]


def test_a_lease_that_comes_back_late_says_nothing() -> None:
    after, effects = step(box(replace(BUSY, serving=0)), says.Released("i-a"), NOW)
    assert after.instances[0].serving == 0
    assert effects == ()
    assert step(box(), says.Released("i-a"), NOW) == (box(), ())


# ── bounds ──────────────────────────────────────────────────────────────────────────────────


def test_a_full_queue_is_told_with_the_time_to_come_back() -> None:
    waiting = tuple(request(number, "b") for number in range(3))
    found = refusal(box(BUSY, waiting=waiting), request(9, "b"))
    assert found.kind is TooBusyError
    assert found.message == "3 requests wait already; no more are taken."
    assert found.retry_after_s == POLICY.patience_s + 40


def test_where_a_start_was_never_seen_no_time_is_told() -> None:
    unknown = Terms(60, 60)
    waiting = tuple(request(number, "b", unknown) for number in range(3))
    assert refusal(box(BUSY, waiting=waiting), request(9, "b", unknown)).retry_after_s is None


def test_a_wait_that_cannot_be_met_is_told_at_once() -> None:
    """The starts of those before it alone take longer than it may wait."""
    slow = Terms(60, 60, 200.0)
    before = replace(request(1, "b", slow), at=NOW - 50)
    found = refusal(box(BUSY, waiting=(before,)), request(2, "c", slow))
    assert found.kind is TooBusyError
    wait = 400 + POLICY.min_residency_s + POLICY.patience_s
    assert found.retry_after_s == wait - 300
    assert f"about {wait:.0f} s; requests wait 300 s at most" in found.message


def test_a_wait_that_can_be_met_is_not_refused() -> None:
    slow = Terms(60, 60, 140.0)
    before = replace(request(1, "b", slow), at=NOW - 50)
    assert ask(box(BUSY, waiting=(before,)), request(2, "c", slow))[1] == ()
    later = replace(request(1, "b", Terms(60, 60, 9000.0)), at=NOW)  # behind it in the queue
    assert ask(box(BUSY, waiting=(later,)), request(2, "c", slow))[1] == ()


def test_a_model_whose_start_alone_takes_longer_is_started_all_the_same() -> None:
    """Else no request would ever start it: those that come later find it ready."""
    slow = Terms(60, 60, 400.0)
    after, effects = ask(box(), request(1, "b", slow))
    assert says.Prepare("b-s0", "b", on_demand=True) in effects
    starting = instance("b", State.STARTING, terms=slow)
    behind = request(2, "c", slow)
    assert ask(box(starting, waiting=(behind,)), request(3, "b", slow))[1] == ()
    late, effects = step(after, says.Tick(), NOW + 300)
    assert [each.kind for each in effects if isinstance(each, Refuse)] == [WaitExceededError]
    assert late.of("b")  # it goes on starting


def test_nobody_waits_longer_than_it_may() -> None:
    short, long = request(1, "b", waits_s=20.0), request(2, "b", waits_s=50.0)
    now = box(BUSY, waiting=(short, long))
    assert step(now, says.Tick(), NOW + 19.9) == (now, ())
    after, effects = step(now, says.Tick(), NOW + 20)
    assert after.waiting == (long,)
    found = effects[0]
    assert isinstance(found, Refuse)
    assert (found.request, found.kind) == (1, WaitExceededError)
    assert found.message == "b was not ready within 20 s (not its turn yet)."
    assert found.retry_after_s == 80.0


# ── without hope ────────────────────────────────────────────────────────────────────────────


def test_one_that_never_fits_is_told_at_once() -> None:
    found = refusal(box(), request(1, "big", Terms(101, 101)))
    assert found.kind is EnvironmentFault
    assert found.message == "big does not fit on this machine."
    assert found.hint == "`sparkwell plan big` says why, and what would."


def test_one_that_never_fits_beside_a_pinned_model_is_told_which() -> None:
    pinned = replace(BUSY, terms=replace(SIZED, pinned=True))
    found = refusal(box(pinned), request(1, "b"))
    assert found.kind is EnvironmentFault
    assert found.message == "b does not fit on this machine beside a."
    assert found.hint == "`sparkwell down a` makes room."
    assert ask(box(pinned), request(1, "b", Terms(40, 40)))[1]


def test_while_memory_changes_hands_nobody_is_told_that_there_is_no_hope() -> None:
    """What a start will hold, or an end leaves, is not known yet."""
    pinned = replace(BUSY, terms=replace(SIZED, pinned=True), state=State.STARTING)
    assert ask(box(pinned), request(1, "b"))[1] == ()
    lost = replace(BUSY, state=State.FAILED, lost=True)
    assert ask(box(lost, settling=("i-a",)), request(1, "b"))[1] == ()


def test_a_start_that_failed_before_its_launch_hides_no_hopelessness() -> None:
    pinned = replace(BUSY, terms=replace(SIZED, pinned=True))
    failed = instance("f", State.FAILED, launched=False)
    assert refusal(box(pinned, failed), request(1, "b")).kind is EnvironmentFault


def test_who_waits_and_loses_hope_is_told_too() -> None:
    """Else it would stand in everybody's way until its time is over."""
    now = box(BUSY, waiting=(request(1, "b"),))
    after, effects = step(now, says.Lost("i-a", "no docker"), NOW)
    [found] = [each for each in effects if isinstance(each, Refuse)]
    assert found.kind is EnvironmentFault
    assert found.message == "b does not fit on this machine beside a."
    assert after.waiting == ()


# ── failures ────────────────────────────────────────────────────────────────────────────────

FAILED = instance("a", State.FAILED, error="no token", ready_at=None)


@pytest.mark.parametrize(
    ("failures", "while_starting", "refused"),
    [(1, True, True), (1, False, False), (2, False, False), (3, False, True)],
)
def test_a_failed_start_is_told_at_once_a_crash_waited_out(
    failures: int, while_starting: bool, refused: bool
) -> None:
    held = Breaker("a", failures, NOW + 8, "no token", "i-a", while_starting)
    now = box(FAILED, breakers=(held,))
    if refused:
        found = refusal(now, request(1, "a"))
        assert (found.kind, found.retry_after_s) == (NotReadyError, 8.0)
        times = " 3 times in a row, at first" if failures == 3 else ""
        assert found.message == f"The model a failed{times}: no token."
    else:
        after, effects = ask(now, request(1, "a"))
        assert effects == ()
        _, effects = step(after, says.Tick(), NOW + 8)
        assert says.Prepare("a-s0", "a", on_demand=True) in effects


def test_what_an_earlier_daemon_held_against_a_model_is_told_too() -> None:
    """It has no instance here; without a word its requests would wait for ten minutes."""
    held = Breaker("a", 3, NOW + 500, "no token.", "i-0", while_starting=False)
    found = refusal(box(breakers=(held,)), request(1, "a"))
    assert (found.kind, found.retry_after_s) == (NotReadyError, 500.0)
    assert found.message == "The model a failed 3 times in a row, at first: no token."


def test_a_failed_start_is_told_to_those_that_waited_for_it() -> None:
    starting = instance("a", State.STARTING, ready_at=None)
    now = box(starting, waiting=(request(1, "a"), request(2, "b")))
    after, effects = step(now, says.NotLaunched("i-a", "no uv", "Install uv."), NOW)
    found = [each for each in effects if isinstance(each, Refuse)]
    assert [(each.request, each.message) for each in found] == [
        (1, "The model a failed: no uv."),
    ]
    assert found[0].retry_after_s == 10.0
    assert [each.id for each in after.waiting] == [2]


def test_a_lost_model_is_told_at_once_and_to_those_that_waited_for_its_return() -> None:
    draining = instance("a", State.DRAINING, serving=1)
    after, effects = step(box(draining, waiting=(request(1, "a"),)), says.Lost("i-a", "why"), NOW)
    told = [each for each in effects if isinstance(each, Refuse)]
    assert [(each.request, each.kind) for each in told] == [(1, NotReadyError)]
    found = refusal(after, request(2, "a"))
    assert found.message == "The model a may still run: its end could not be seen to: why."
    assert found.hint == "`sparkwell down a` tries again to end it."
    assert found.retry_after_s is None


def test_one_that_cannot_wake_beside_what_came_meanwhile_starts_anew() -> None:
    """What it held does not fit any more, but the least that it needs does."""
    naps = Terms(20, 60, 40.0, back_end=BackEnd.SLEEP_1, asleep_bytes=5)
    asleep = instance("a", State.ASLEEP, terms=naps)
    pinned = instance("p", State.READY, terms=Terms(70, 70, pinned=True), held_bytes=70)
    after, effects = ask(box(asleep, pinned), request(1, "a", naps))
    assert says.Terminate("i-a") in effects
    after, _ = step(after, says.Ended("i-a", STOPPED), NOW + 1)
    after, effects = step(after, says.Settled("i-a"), NOW + 2)
    assert says.Prepare("a-s0", "a", on_demand=True) in effects
