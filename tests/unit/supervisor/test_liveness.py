"""Hung or busy, from looks."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sparkwell.supervisor.liveness import Canary, Liveness, Look, Rules, begin, judge

RULES = Rules(every_s=15, still_s=30, idle_s=300, deadline_s=30, misses=2)
STILL: tuple[float, ...] = (5.0, 7.0)


def follow(looks: list[Look], rules: Rules = RULES) -> Liveness:
    state = begin(0.0)
    for look in looks:
        state = judge(state, look, rules)
        if state.hung:
            break
    return state


def look(at_s: float, **what: object) -> Look:
    usual = Look(at_s=at_s, healthy=True, mark=STILL, serving=1)
    return replace(usual, **what)  # type: ignore[arg-type]


def test_standing_still_is_looked_into_and_two_misses_are_enough() -> None:
    state = follow([look(15)])
    assert not state.asks
    state = judge(state, look(30), RULES)
    assert state.asks
    state = judge(state, look(75, canary=Canary.MISSED), RULES)
    assert (state.asks, state.hung) == (True, None)
    state = judge(state, look(120, canary=Canary.MISSED), RULES)
    assert state.hung == (
        "the engine says that it is healthy and generates nothing: its counters stand still, the "
        "last sign of a token is 120 s old, and 2 requests for one token in a row came to nothing"
    )


def test_a_busy_engine_is_not_hung_though_the_canary_waits_in_vain() -> None:
    state = follow([look(15), look(30)])
    moved = look(75, mark=(6.0, 7.0), canary=Canary.MISSED)
    state = judge(state, moved, RULES)
    assert state == Liveness(mark=(6.0, 7.0), alive_s=75)


def test_progress_between_two_misses_begins_anew() -> None:
    state = follow(
        [
            look(15),
            look(30),
            look(75, canary=Canary.MISSED),
            look(90, mark=(6.0, 7.0)),
            look(150, mark=(6.0, 7.0), canary=Canary.MISSED),
        ]
    )
    assert (state.misses, state.hung) == (1, None)


def test_an_idle_engine_is_asked_now_and_then() -> None:
    assert not follow([look(15), look(285, serving=0)]).asks
    assert follow([look(15), look(300, serving=0)]).asks
    answered = follow([look(300, serving=0), look(301, serving=0, canary=Canary.ANSWERED)])
    assert (answered.asks, answered.alive_s) == (False, 301)


def test_health_that_does_not_answer_is_looked_into_at_once() -> None:
    state = follow([look(15, healthy=False, mark=None)])
    assert state.asks
    missed = [look(at, healthy=False, mark=None, canary=Canary.MISSED) for at in (60, 105)]
    state = judge(judge(state, missed[0], RULES), missed[1], RULES)
    assert "does not answer /health" in str(state.hung)
    assert "shows no counters" in str(state.hung)


def test_without_counters_an_engine_that_serves_is_left_alone() -> None:
    """A canary of Ollama's may wait behind an answer of twenty minutes."""
    looks = [look(at, mark=None, canary=Canary.MISSED) for at in range(15, 3000, 45)]
    assert follow(looks) == Liveness(mark=None, alive_s=0.0)


def test_without_counters_an_idle_engine_can_be_hung() -> None:
    idle = look(300, mark=None, serving=0)
    assert follow([idle]).asks
    missed = replace(idle, canary=Canary.MISSED)
    assert follow([idle, missed, missed]).hung


def test_a_refused_canary_proves_nothing() -> None:
    state = follow([look(30), *(look(45 + at, canary=Canary.REFUSED) for at in range(50))])
    assert (state.misses, state.hung, state.asks) == (0, None, True)


def test_counters_that_cannot_be_read_for_once_are_remembered() -> None:
    state = follow([look(15), look(30, mark=None, healthy=False), look(45, mark=(6.0, 7.0))])
    assert (state.alive_s, state.mark) == (45, (6.0, 7.0))


CANARIES = st.sampled_from([None, *Canary])
LOOKS = st.builds(
    Look,
    at_s=st.floats(0, 1e6),
    healthy=st.booleans(),
    mark=st.none() | st.tuples(st.integers(0, 2).map(float)),
    serving=st.integers(0, 2),
    canary=CANARIES,
)


def in_order(looks: list[Look]) -> list[Look]:
    times = sorted(each.at_s for each in looks)
    return [replace(each, at_s=at) for each, at in zip(looks, times, strict=True)]


@given(st.lists(LOOKS).map(in_order))
def test_what_gets_on_is_never_hung(looks: list[Look]) -> None:
    moving = [replace(each, mark=(float(at),)) for at, each in enumerate(looks)]
    first = begin(0.0)
    state = judge(first, Look(at_s=0.0, healthy=True, mark=(-1.0,), serving=0), RULES)
    for each in moving:
        state = judge(state, each, RULES)
        assert state.hung is None


@given(st.lists(LOOKS).map(in_order))
def test_what_answers_is_never_hung(looks: list[Look]) -> None:
    answered = {None: None, Canary.MISSED: Canary.ANSWERED}
    kind = [replace(each, canary=answered.get(each.canary, each.canary)) for each in looks]
    assert follow(kind).hung is None


@given(st.lists(LOOKS).map(in_order))
def test_it_takes_two_misses_in_a_row(looks: list[Look]) -> None:
    state = begin(0.0)
    for each in looks:
        before, state = state, judge(state, each, RULES)
        if state.hung:
            assert before.misses == RULES.misses - 1
            assert each.canary is Canary.MISSED
            return


@given(st.lists(LOOKS).map(in_order), st.integers(1, 3), st.floats(0, 300))
def test_what_hangs_is_found_in_time(looks: list[Look], serving: int, wait_s: float) -> None:
    """Whatever came before: it stands still, serves, and misses every canary that it is sent."""
    state, clock = follow(looks), (looks[-1].at_s if looks else 0.0) + wait_s
    first_s = clock
    canary: Canary | None = None
    while not state.hung:
        mark = state.mark or STILL
        state = judge(state, Look(clock, True, mark, serving, canary), RULES)
        canary = Canary.MISSED if state.asks else None
        clock += RULES.every_s + (RULES.deadline_s if canary else 0.0)
    longest = RULES.still_s + RULES.misses * (RULES.every_s + RULES.deadline_s) + RULES.every_s
    assert clock - first_s <= longest + RULES.every_s
