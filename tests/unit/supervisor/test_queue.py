"""Who is next, who may leave for it, and how long it will take."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sparkwell.supervisor.box import Box, Instance, Request, State, Switch
from sparkwell.supervisor.breaker import Breaker
from sparkwell.supervisor.eviction import evictable, idle_end, may_leave
from sparkwell.supervisor.machine import step
from sparkwell.supervisor.messages import Tick
from sparkwell.supervisor.queue import (
    Candidate,
    candidates,
    estimated_wait_s,
    least_wait_s,
    next_chance,
)
from sparkwell.supervisor.terms import PERSON, BackEnd, Budget, Policy, Terms, priority_of

NOW = 1000.0
POLICY = Policy(min_residency_s=15.0, quiet_s=2.0, patience_s=60.0, max_wait_s=1800.0)
SIZED = Terms(60, 60, 10.0)


def request(number: int, model: str, waited_s: float = 0.0, **changes: object) -> Request:
    terms = changes.pop("terms", SIZED)
    asked = Request(number, model, NOW - waited_s, NOW + 1800, terms)  # type: ignore[arg-type]
    return replace(asked, **changes)  # type: ignore[arg-type]


def box(*waiting: Request, there: tuple[Instance, ...] = (), **changes: object) -> Box:
    now = Box(there, waiting, budget=Budget(100), policy=POLICY)
    return replace(now, **changes)  # type: ignore[arg-type]


def ready(model: str, **changes: object) -> Instance:
    """There for long, and idle for long."""
    instance = Instance(
        f"i-{model}",
        model,
        State.READY,
        terms=SIZED,
        held_bytes=60,
        ready_at=NOW - 500,
        idle_since=NOW - 100,
    )
    return replace(instance, **changes)  # type: ignore[arg-type]


def order(now: Box, at: float = NOW) -> list[str]:
    return [each.model for each in candidates(now, at)]


# ── order ───────────────────────────────────────────────────────────────────────────────────


def test_among_equals_who_has_waited_longest_is_first() -> None:
    assert order(box(request(1, "a", 5), request(2, "b", 20))) == ["b", "a"]


def test_all_requests_for_a_model_count_together() -> None:
    """They are served in one go, with one start."""
    many = [request(number, "b", 10) for number in range(2, 6)]
    assert order(box(request(1, "a", 20), *many)) == ["b", "a"]


def test_a_model_that_starts_quickly_is_before_one_that_takes_minutes() -> None:
    slow, quick = Terms(60, 60, 380.0), Terms(60, 60, 20.0)
    assert order(box(request(1, "a", 20, terms=slow), request(2, "b", 10, terms=quick))) == [
        "b",
        "a",
    ]


def test_one_that_sleeps_is_quick_however_long_its_start_takes() -> None:
    slow = Terms(60, 60, 380.0, back_end=BackEnd.SLEEP_1, asleep_bytes=5)
    asleep = ready("a", state=State.ASLEEP, terms=slow)
    waiting = (request(1, "a", 5, terms=slow), request(2, "b", 20))
    assert order(box(*waiting)) == ["b", "a"]
    assert order(box(*waiting, there=(asleep,))) == ["a", "b"]


def test_priority_is_before_cost_and_number() -> None:
    many = [request(number, "b", 30) for number in range(2, 6)]
    assert order(box(request(1, "a", 0, priority=1), *many)) == ["a", "b"]


def test_each_patience_counts_as_one_step_of_priority() -> None:
    important = request(1, "a", 0, priority=1)
    assert order(box(important, request(2, "b", 59))) == ["a", "b"]
    assert order(box(important, request(2, "b", 121))) == ["b", "a"]


def test_after_half_of_the_longest_wait_no_priority_counts() -> None:
    """Of several that have waited so long the oldest is first."""
    important = [request(1, "a", 10, priority=100), request(2, "b", 910, priority=100)]
    assert order(box(*important, request(3, "c", 899, priority=-100))) == ["b", "a", "c"]
    assert order(box(*important, request(3, "c", 901, priority=-100))) == ["b", "c", "a"]
    assert order(box(*important, request(3, "c", 911, priority=-100))) == ["c", "b", "a"]


def test_when_it_will_be_so_somebody_looks() -> None:
    there = (ready("p", terms=replace(SIZED, pinned=True)),)
    waiting = box(request(1, "a", 100), there=there)
    assert next_chance(waiting, NOW) == NOW + 800


def test_a_person_is_before_all_that_have_waited() -> None:
    assert order(box(request(1, "a", 1700), request(2, "b", 0, priority=PERSON))) == ["b", "a"]


def test_the_model_s_priority_is_added_to_the_request_s_own_but_not_to_a_person_s() -> None:
    unimportant = replace(SIZED, priority=-100)
    assert (priority_of(unimportant, 3), priority_of(unimportant, PERSON)) == (-97, PERSON)
    assert priority_of(replace(SIZED, priority=100), 0) == 100


def test_who_waits_grows_in_rank_where_nobody_is_to_be_patient() -> None:
    impatient = replace(POLICY, patience_s=0.0)
    now = box(request(1, "a", 0, priority=3), request(2, "b", 5), policy=impatient)
    assert order(now) == ["b", "a"]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.floats(0.5, 200))
def test_nobody_starves(priorities: list[int], patience_s: float) -> None:
    """However many others come later with more priority, after a while one's own turn is next."""
    old = request(0, "old", 7 * patience_s)
    others = [request(n, f"m{n}", 0, priority=each) for n, each in enumerate(priorities, 1)]
    now = box(old, *others, policy=replace(POLICY, patience_s=max(1.0, patience_s)))
    if patience_s >= 1.0:
        assert order(now)[0] == "old"


def test_only_models_that_can_begin_are_candidates() -> None:
    held_back = Breaker("h", 1, NOW + 5, "why", "i", while_starting=False)
    there = (
        ready("starts", state=State.STARTING),
        ready("leaves", state=State.DRAINING),
        ready("ends", state=State.STOPPING),
        ready("sleeps", state=State.ASLEEP),
        ready("failed", state=State.FAILED),
        ready("lost", state=State.FAILED, lost=True),
    )
    models = ["starts", "leaves", "ends", "sleeps", "failed", "lost", "h", "new"]
    waiting = [request(n, model) for n, model in enumerate(models)]
    now = box(*waiting, there=there, breakers=(held_back,))
    assert set(order(now)) == {"sleeps", "failed", "new"}
    assert "h" in order(now, NOW + 5)


# ── who may leave ───────────────────────────────────────────────────────────────────────────


def test_one_that_is_used_stays_until_somebody_has_been_patient() -> None:
    busy = ready("a", serving=1, idle_since=None)
    now = box(there=(busy,))
    assert not may_leave(now, busy, NOW, overdue=False)
    assert may_leave(now, busy, NOW, overdue=True)


def test_one_that_has_just_come_stays_its_time_even_so() -> None:
    new = ready("a", serving=1, idle_since=None, ready_at=NOW - 14)
    now = box(there=(new,))
    assert not may_leave(now, new, NOW, overdue=True)
    assert may_leave(now, new, NOW + 1, overdue=True)


def test_for_a_person_nobody_stays_for_the_time_that_it_has_been_there() -> None:
    new = ready("a", serving=1, idle_since=None, ready_at=NOW)
    assert may_leave(box(there=(new,)), new, NOW, overdue=True, person=True)
    asks = request(1, "b", priority=PERSON)
    (candidate,) = candidates(box(asks), NOW)
    assert (candidate.by_person, candidate.overdue(POLICY, NOW)) == (True, True)
    assert estimated_wait_s(box(there=(new,)), asks, NOW) == 10.0


def test_one_that_has_just_come_leaves_sooner_when_nobody_uses_it() -> None:
    quiet = ready("a", ready_at=NOW - 3, idle_since=NOW - 1.5)
    now = box(there=(quiet,))
    assert not may_leave(now, quiet, NOW, overdue=False)
    assert may_leave(now, quiet, NOW + 0.5, overdue=False)


def test_after_its_residency_a_pause_is_enough() -> None:
    pausing = ready("a", idle_since=NOW)
    assert may_leave(box(there=(pausing,)), pausing, NOW, overdue=False)


def test_who_is_missed_least_is_first_and_pinned_ones_are_never() -> None:
    there = (
        ready("busy", serving=1, idle_since=None),
        ready("important", terms=replace(SIZED, priority=1)),
        ready("late", idle_since=NOW - 10),
        ready("early", idle_since=NOW - 90),
        ready("asleep", state=State.ASLEEP, idle_since=NOW - 1),
        ready("pinned", terms=replace(SIZED, pinned=True)),
        ready("new"),
    )
    found = evictable(box(there=there), "new", NOW, overdue=True)
    assert [each.model for each in found] == ["asleep", "early", "late", "busy", "important"]


def test_the_idle_time_out() -> None:
    naps = replace(SIZED, idle_s=30.0)
    assert idle_end(ready("a", terms=naps)) == NOW - 70
    assert idle_end(ready("a", terms=naps, serving=1)) is None
    assert idle_end(ready("a")) is None
    assert idle_end(ready("a", terms=replace(naps, pinned=True))) is None
    assert idle_end(ready("a", terms=naps, state=State.STARTING)) is None


# ── when to look again ──────────────────────────────────────────────────────────────────────


def test_nothing_to_look_for() -> None:
    assert next_chance(box(there=(ready("a"),)), NOW) is None


def test_it_is_looked_at_again_when_something_may_change() -> None:
    """Patience, residency, quiet, the end of a wait, of a pause, and of idleness."""
    busy = ready("a", serving=1, idle_since=None)
    assert next_chance(box(request(1, "b", 10), there=(busy,)), NOW) == NOW + 50
    fresh = replace(busy, ready_at=NOW - 5)
    assert next_chance(box(request(1, "b", 10), there=(fresh,)), NOW) == NOW + 10
    pausing = ready("a", idle_since=NOW - 0.5, ready_at=NOW - 5)
    assert next_chance(box(request(1, "b", 10), there=(pausing,)), NOW) == NOW + 1.5
    assert next_chance(box(request(1, "b", 10, until=NOW + 3), there=(busy,)), NOW) == NOW + 3
    held = Breaker("b", 1, NOW + 7, "why", "i", while_starting=False)
    assert next_chance(box(request(1, "b"), breakers=(held,)), NOW) == NOW + 7
    naps = ready("a", terms=replace(SIZED, idle_s=130.0))
    assert next_chance(box(there=(naps,)), NOW) == NOW + 30


times = st.floats(0.0, 5000.0)


@given(times, times, st.floats(0.1, 90.0), st.floats(0.1, 90.0))
def test_when_the_alarm_rings_somebody_may_leave(
    ready_s: float, asked_s: float, residency_s: float, patience_s: float
) -> None:
    """Also where a sum and a difference of the same seconds are not equal, by rounding."""
    busy = ready("a", serving=1, idle_since=None, ready_at=NOW + ready_s)
    policy = replace(POLICY, min_residency_s=residency_s, patience_s=patience_s)
    waiting = replace(request(1, "b"), at=NOW + asked_s, until=1e9)
    now = box(waiting, there=(busy,), policy=policy)
    at: float | None = NOW + max(ready_s, asked_s)
    for _ in range(3):
        at = next_chance(now, at) if at is not None else None
        if at is not None and at < 1e9:
            now, _ = step(now, Tick(), at)
    assert now.switch


# ── how long ────────────────────────────────────────────────────────────────────────────────


def test_the_wait_for_a_ready_model_is_none() -> None:
    assert estimated_wait_s(box(there=(ready("a"),)), request(1, "a"), NOW) == 0.0


def test_a_start_that_was_never_seen_cannot_be_told() -> None:
    new = request(1, "b", terms=Terms(60, 60))
    assert estimated_wait_s(box(), new, NOW) is None
    assert estimated_wait_s(box(replace(new, id=2), there=()), request(1, "a"), NOW) == 10.0
    older = replace(new, id=2, at=NOW - 100)
    assert estimated_wait_s(box(older), request(1, "a"), NOW) is None


def test_only_those_that_come_first_are_counted() -> None:
    first, later = request(1, "b", 100), request(2, "c", 0)
    now = box(first, later)
    own = request(3, "a", 50)
    assert least_wait_s(now, own, NOW) == 20.0
    assert estimated_wait_s(now, own, NOW) == 20.0 + POLICY.min_residency_s


def test_a_request_that_waits_already_is_not_counted_twice() -> None:
    own = request(3, "a", 50)
    assert estimated_wait_s(box(request(1, "b", 100), own), own, NOW) == 35.0


def test_what_is_starting_already_waits_for_nobody_else() -> None:
    starting = ready("a", state=State.STARTING)
    now = box(request(1, "b", 100), request(2, "c", 100), there=(starting,))
    assert estimated_wait_s(now, request(3, "a"), NOW) == 10.0


def test_the_start_that_is_under_way_is_counted() -> None:
    starting = ready("a", state=State.STARTING, terms=replace(SIZED, start_s=300.0))
    now = box(there=(starting,))
    assert estimated_wait_s(now, request(1, "b"), NOW) == 310.0
    begun = box(there=(starting,), switch=Switch("a", (), NOW - 100))
    assert estimated_wait_s(begun, request(1, "b"), NOW) == 210.0
    assert least_wait_s(begun, request(1, "b"), NOW) == 10.0


def test_patience_with_a_busy_model_is_counted() -> None:
    busy = ready("a", serving=1, idle_since=None)
    now = box(there=(busy,))
    assert estimated_wait_s(now, request(1, "b"), NOW) == 70.0
    assert estimated_wait_s(now, request(1, "b", 40), NOW) == 30.0
    assert estimated_wait_s(box(there=(ready("a"),)), request(1, "b"), NOW) == 10.0


def test_a_rank_is_of_its_time() -> None:
    each = Candidate("a", SIZED, 0, NOW, 0.0, 1, 10.0)
    assert not each.overdue(POLICY, NOW + 59)
    assert each.overdue(POLICY, NOW + 60)
    assert each.rank(POLICY, NOW + 130)[1] == -2
