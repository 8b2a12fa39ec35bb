"""Every transition of the box: a table of all pairs of state and event, in transitions.txt."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.supervisor.transitions import (
    BOXES,
    CRASH,
    EVENTS,
    FAILED,
    LOST,
    NOW,
    PREPARING,
    READY,
    SERVING,
    SMALL,
    STARTING,
    STOP,
    STOPPING,
    TO_N,
    M,
    N,
    box,
    change_in_words,
    request,
)

from sparkwell.core.errors import ConflictError, NotReadyError
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.supervisor import messages as says
from sparkwell.supervisor.box import Instance, Leaving, State
from sparkwell.supervisor.machine import ready_instance, step
from sparkwell.supervisor.messages import Tell

EVERY = "every state"
REFUSED = "ConflictError"


def read_table() -> dict[str, dict[str, str]]:
    """By event and state, what happens; nothing where a pair is missing."""
    table: dict[str, dict[str, str]] = {}
    event = ""
    for line in Path(__file__).with_name("transitions.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            event = line.strip("[]")
            table[event] = {}
        elif line and not line.startswith("#"):
            state, _, outcome = line.partition(": ")
            states = list(BOXES) if state == EVERY else [state]
            table[event].update(dict.fromkeys(states, outcome))
    return table


TABLE = read_table()


def outcome(state: str, event: str) -> str:
    try:
        after, effects = step(BOXES[state], EVENTS[event], NOW)
    except ConflictError:
        return REFUSED
    return change_in_words(BOXES[state], after, effects)


def test_the_table_names_every_event_and_only_known_states() -> None:
    assert list(TABLE) == list(EVENTS)
    assert {state for rows in TABLE.values() for state in rows} <= set(BOXES)


def test_every_state_of_an_instance_is_in_the_table() -> None:
    states = {each.state for before in BOXES.values() for each in before.instances}
    assert states == set(State)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", BOXES)
def test_every_pair_of_state_and_event(state: str, event: str) -> None:
    assert outcome(state, event) == TABLE[event].get(state, "")


def test_every_told_instance_is_as_it_is_afterwards() -> None:
    """What moves on in the same step is told again."""
    for before in BOXES.values():
        for event in EVENTS.values():
            try:
                after, effects = step(before, event, NOW)
            except ConflictError:
                continue
            tells = [each.instance for each in effects if isinstance(each, Tell)]
            last = {each.id: each for each in tells if each}
            for told in last.values():
                now = after.get(told.id)
                assert now is None or _but_for_leases(now) == _but_for_leases(told)


def _but_for_leases(instance: Instance) -> Instance:
    """Leases are given after the telling."""
    return replace(instance, serving=0, idle_since=None)


# ── words ───────────────────────────────────────────────────────────────────────────────────


def test_a_stop_that_was_asked_for_tells_how_it_ended() -> None:
    _, effects = step(box(STOPPING), says.Ended("i1", STOP))
    told = effects[0]
    assert isinstance(told, Tell)
    assert told.instance
    assert (told.message, told.instance.record) == ("m has stopped", STOP)


def test_words_of_a_conflict() -> None:
    with pytest.raises(ConflictError) as stopping:
        step(box(STOPPING), says.Up("m", "i2"))
    assert str(stopping.value) == (
        "m is still stopping, so it cannot start yet. Try again in a moment."
    )


def test_a_person_s_start_that_does_not_fit_is_refused_in_words() -> None:
    up = says.Up("n", "i2", N, 60)
    with pytest.raises(ConflictError) as caught:
        step(box(READY), up)
    assert "n does not fit beside m" in str(caught.value)
    assert "`sparkwell down m` makes room." in str(caught.value)
    after, _ = step(box(READY), replace(up, forced=True))
    assert [each.model for each in after.live] == ["m", "n"]


def test_who_is_ready() -> None:
    assert ready_instance(box(READY), "m") is READY


@pytest.mark.parametrize(
    ("state", "model", "words"),
    [
        ("nothing", "m", "The model m is not loaded. Run `sparkwell up m`."),
        ("ready", "n", "The model n is not loaded. Run `sparkwell up n`."),
        (
            "starting",
            "m",
            "The model m is starting (loading weights). "
            "Try again when `sparkwell status` says ready.",
        ),
        (
            "stopping",
            "m",
            "The model m is stopping (ready). Try again when `sparkwell status` says ready.",
        ),
        ("failed", "m", "The model m failed: no token. `sparkwell up m` tries again."),
        (
            "crashed",
            "m",
            "The model m failed: no token. "
            "`sparkwell logs m` shows why, `sparkwell up m` tries again.",
        ),
        ("failed", "n", "The model n is not loaded. Run `sparkwell up n`."),
    ],
)
def test_who_is_not_ready_is_told_what_to_do(state: str, model: str, words: str) -> None:
    crashed = box(replace(FAILED, record=CRASH))
    with pytest.raises(NotReadyError) as caught:
        ready_instance({**BOXES, "crashed": crashed}[state], model)
    assert str(caught.value) == words


# ── what a single pair does not show ────────────────────────────────────────────────────────


def test_phases_only_go_forward() -> None:
    now = box(STARTING)
    for phase in Phase:
        after, _ = step(now, says.Progressed("i1", PhaseMark(phase)))
        assert not after.instances[0].phase.is_before(now.instances[0].phase)
        now = after


def test_a_mark_of_a_running_engine_does_not_move_a_start_that_is_not_launched() -> None:
    """It would never be launched then."""
    after, effects = step(box(PREPARING), says.Progressed("i1", PhaseMark(Phase.WEIGHTS)))
    assert (after.instances, effects) == ((PREPARING,), ())
    after, _ = step(box(PREPARING), says.Progressed("i1", PhaseMark(Phase.DOWNLOAD, 0.5)))
    assert after.instances[0].fraction == 0.5


def test_a_plan_that_has_grown_too_large_is_not_launched() -> None:
    beside = replace(SERVING, id="i9", model="n")
    after, effects = step(box(beside, PREPARING), says.Prepared("i1", 50), NOW)
    failed = after.of("m")
    assert failed
    assert failed.state is State.FAILED
    assert "too little memory" in (failed.error or "")
    assert [e.kind for e in effects if isinstance(e, Tell)] == ["instance.failed"]


def test_a_hung_one_that_a_person_stops_leaves_nothing_behind() -> None:
    stopping, _ = step(box(replace(STOPPING, error="it hung")), says.Down("m"), NOW)
    after, _ = step(stopping, says.Ended("i1", CRASH), NOW)
    assert after.instances == ()


def test_down_of_the_model_that_others_make_room_for_keeps_them() -> None:
    """Those that still drain stay; a kept one that has gone comes back."""
    after, _ = step(BOXES["draining"], says.Down("n"), NOW)
    assert after.of("m") == SERVING
    gone = box(waiting=(request(9, "n"),), switch=TO_N, settling=("i1",))
    after, _ = step(gone, says.Down("n"), NOW)
    assert [each.model for each in after.comebacks] == ["m"]
    after, effects = step(after, says.Settled("i1"), NOW)
    assert says.Prepare("m-s0", "m", on_demand=True) in effects


def test_when_a_switch_is_called_off_who_waits_for_the_one_that_stays_is_served_at_once() -> None:
    draining = BOXES["draining"]
    draining = replace(draining, waiting=(*draining.waiting, request(10, "m")))
    after, effects = step(draining, says.Left(9), NOW)
    assert says.Grant(10, "i1") in effects
    assert after.waiting == ()


def test_when_the_daemon_ends_nothing_comes_back() -> None:
    """Even what made room for a switch that does not happen any more."""
    gone = box(waiting=(request(9, "n"),), switch=TO_N, comebacks=(Leaving("l", SMALL, True),))
    after, effects = step(gone, says.Closed(), NOW)
    assert (after.comebacks, after.instances, after.switch) == ((), (), None)
    assert [type(each) for each in effects] == [says.Refuse]


def test_one_that_is_lost_is_not_started_again_by_itself() -> None:
    after, effects = step(box(LOST), says.Wanted((Leaving("m", M, True),)), NOW)
    assert after.instances == (LOST,)
    assert [e.kind for e in effects if isinstance(e, Tell)] == ["instance.not_back"]
