"""What the box does by itself: switches, and what becomes of them; comebacks; idle models."""

from dataclasses import replace

import pytest
from tests.unit.supervisor.story import CRASHED, NAPS, POLICY, STOPPED, A, B, Story, instance, kinds

from sparkwell.supervisor import messages as says
from sparkwell.supervisor.box import Leaving, State
from sparkwell.supervisor.breaker import OPEN_S
from sparkwell.supervisor.messages import Tell
from sparkwell.supervisor.queue import next_chance
from sparkwell.supervisor.terms import PERSON, BackEnd, Terms

# ── a switch ────────────────────────────────────────────────────────────────────────────────


def test_a_switch_from_an_idle_model() -> None:
    story = Story(instance("a", A))
    number = story.ask("b", B)
    assert kinds(story.effects) == ["switch.begin", "instance.stopping", "Terminate"]
    story.tell(says.Ended("i-a", STOPPED))
    assert kinds(story.effects) == ["instance.stopped", "Settle"]
    story.tell(says.Settled("i-a"))
    assert kinds(story.effects) == ["Prepare", "instance.starting"]
    assert story.effects[0] == says.Prepare("b-s0", "b", on_demand=True)
    story.tell(says.Prepared("b-s0", 80))
    assert kinds(story.effects) == ["instance.phase", "Launch"]
    story.tell(says.Answered("b-s0"), 20.0)
    assert kinds(story.effects) == ["instance.ready", "switch.done", "Grant"]
    assert story.done(says.Grant) == [says.Grant(number, "b-s0")]
    assert story.box.switch is None


def test_what_the_switch_says_at_its_begin_and_end() -> None:
    story = Story(instance("a", A, serving=2, idle_since=None))
    story.ask("b", B)
    story.tell(says.Tick(), 60.0)
    begin = story.effects[0]
    assert isinstance(begin, Tell)
    assert begin.message == "Switching from a to b"
    assert dict(begin.data) == {
        "from": ["a"],
        "to": "b",
        "how": ["stop"],
        "requests_waiting": 1,
        "waited_s": 60.0,
        "requests_running": 2,
    }
    story.tell(says.Released("i-a")).tell(says.Released("i-a")).ends("i-a").starts("b-s0")
    done = next(e for e in story.effects if isinstance(e, Tell) and e.kind == "switch.done")
    assert done.data["seconds"] == 5.0


def test_a_busy_model_is_drained_after_the_patience_and_ends_with_its_last_request() -> None:
    story = Story(instance("a", A, serving=1, idle_since=None))
    story.ask("b", B)
    story.tell(says.Tick(), 59.9)
    assert story.state("a") is State.READY
    story.tell(says.Tick(), 0.1)
    assert (story.state("a"), story.told) == (State.DRAINING, ["switch.begin"])
    own = story.ask("a", A)
    assert story.done(says.Grant) == []
    story.tell(says.Released("i-a"))
    assert story.told == ["instance.stopping"]
    story.ends("i-a").starts("b-s0")
    assert story.state("b") is State.READY
    assert [each.id for each in story.box.waiting] == [own]


def test_nothing_else_begins_during_a_switch() -> None:
    story = Story(instance("a", A))
    story.ask("b", B)
    story.ask("c", Terms(5, 5, 1.0))  # it would fit beside
    assert story.state("c") is None
    story.ends("i-a")
    assert story.state("b") is State.STARTING
    assert story.state("c") is None
    story.starts("b-s0", 80)
    assert story.state("c") is State.STARTING


def test_models_that_fit_beside_each_other_do_not_leave() -> None:
    story = Story(instance("a", A))
    story.ask("c", Terms(40, 40, 1.0))
    assert says.Prepare("c-s0", "c", on_demand=True) in story.effects
    assert (story.state("a"), story.box.switch) == (State.READY, None)


def test_one_start_at_a_time_though_several_are_prepared() -> None:
    story = Story()
    story.ask("c", Terms(30, 30, 1.0))
    story.ask("d", Terms(30, 30, 1.0))
    story.tell(says.Prepared("c-s0", 30))
    assert story.done(says.Launch) == [says.Launch("c-s0", "c")]
    story.tell(says.Prepared("d-s1", 30))
    assert story.done(says.Launch) == []
    story.tell(says.Answered("c-s0"))
    assert story.done(says.Launch) == [says.Launch("d-s1", "d")]


def test_nothing_starts_before_the_memory_of_the_last_is_back() -> None:
    story = Story(instance("a", A))
    story.ask("b", B)
    story.tell(says.Ended("i-a", STOPPED))
    story.tell(says.Tick(), 300.0)
    assert story.state("b") is None
    story.tell(says.Settled("i-a"))
    assert story.state("b") is State.STARTING


def test_a_person_does_not_wait_for_the_time_that_another_has_been_there() -> None:
    """Only for the requests that it serves: neither residency, nor quiet, nor patience."""
    new = instance("a", A, ready_at=999.9, idle_since=999.9)
    by_a_request, by_a_person = Story(new), Story(new)
    by_a_request.ask("b", B)
    assert by_a_request.state("a") is State.READY
    by_a_person.ask("b", B, priority=PERSON)
    assert by_a_person.told == ["switch.begin", "instance.stopping"]


def test_what_is_served_when_a_person_wants_another_is_served_to_its_end() -> None:
    story = Story(instance("a", A, ready_at=999.9, serving=1, idle_since=None))
    story.ask("b", B, priority=PERSON)
    assert (story.state("a"), story.done(says.Terminate)) == (State.DRAINING, [])
    story.tell(says.Released("i-a"))
    assert story.done(says.Terminate) == [says.Terminate("i-a")]


def test_a_pinned_model_does_not_leave_for_a_person_either() -> None:
    story = Story(instance("a", replace(A, pinned=True)))
    story.ask("b", B, priority=PERSON)
    assert (story.state("a"), kinds(story.effects)) == (State.READY, ["Refuse"])


def test_nobody_overtakes_one_that_has_waited_long() -> None:
    """Small models that would fit wait, too: else the large one would never get its room."""
    new = instance("a", A, ready_at=990.0, serving=1, idle_since=None)
    story = Story(new, policy=replace(POLICY, min_residency_s=500.0))
    story.ask("b", B)
    story.tell(says.Tick(), 30.0)
    story.ask("c", Terms(5, 5, 1.0))
    assert story.state("c") is State.STARTING
    story.starts("c-s0", 5)
    story.tell(says.Tick(), 40.0)
    story.ask("d", Terms(5, 5, 1.0))
    assert story.state("d") is None


# ── it grows ────────────────────────────────────────────────────────────────────────────────


def grown() -> Story:
    """While a makes room for b, a person starts c, which is in its way, too."""
    story = Story(instance("a", A))
    story.ask("b", Terms(80, 80, 20.0))
    story.tell(says.Up("c", "i-c", Terms(40, 40, 1.0), 40))
    story.ends("i-a").starts("i-c", 40)
    return story.tell(says.Tick(), POLICY.patience_s)


def test_one_that_has_to_leave_in_mid_switch_is_told_and_comes_back_too() -> None:
    story = grown()
    assert story.told == ["switch.more", "instance.stopping"]
    more = story.words("switch.more")
    assert (more.model, more.data["from"], more.data["how"]) == ("b", ["c"], ["stop"])
    assert more.message == "The switch to b needs more room: c has to leave, too"
    story.ends("i-c").tell(says.NotLaunched("b-s0", "no uv"))
    assert story.words("switch.failed").data["comes_back"] == ["a", "c"]
    assert [each.model for each in story.box.live] == ["a", "c"]


def test_one_that_a_person_kept_and_that_has_to_leave_again_is_in_the_switch_once() -> None:
    story = Story(instance("a", A, serving=1, idle_since=None))
    story.ask("b", B)
    story.tell(says.Tick(), 60.0).tell(says.Up("a", "i2", A))
    assert (story.told, story.state("a")) == (["instance.kept"], State.DRAINING)
    assert story.box.switch
    assert [(each.model, each.kept) for each in story.box.switch.leaving] == [("a", True)]


# ── it waits ────────────────────────────────────────────────────────────────────────────────


def draining_for_long() -> Story:
    """Two requests of a take longer than a switch waits in silence."""
    story = Story(instance("a", A, serving=2, idle_since=None))
    story.ask("b", B)
    story.tell(says.Tick(), POLICY.patience_s)
    assert next_chance(story.box, story.now) == story.now + POLICY.long_drain_s
    return story.tell(says.Tick(), POLICY.long_drain_s)


def test_a_switch_that_waits_long_for_running_requests_says_so_once_and_cuts_nothing() -> None:
    story = draining_for_long()
    assert story.told == ["switch.draining_long"]
    told = story.words("switch.draining_long")
    assert dict(told.data) == {"serving": {"a": 2}, "to": "b", "seconds": 600.0}
    assert told.message == (
        "b has waited 600 s for 2 requests of a to end. Nothing is cut; `sparkwell down a` would "
        "do that"
    )
    assert (story.state("a"), story.done(says.Terminate)) == (State.DRAINING, [])
    story.tell(says.Tick(), 60.0)
    assert story.told == []
    story.tell(says.Released("i-a")).tell(says.Released("i-a"))
    assert story.done(says.Terminate) == [says.Terminate("i-a")]


def test_a_person_may_cut_what_drains_for_long() -> None:
    story = draining_for_long().tell(says.Down("a"))
    assert story.done(says.Terminate) == [says.Terminate("i-a")]


def test_a_start_that_takes_long_is_no_drain() -> None:
    story = Story(instance("a", A))
    story.ask("b", B)
    story.ends("i-a").tell(says.Tick(), POLICY.long_drain_s)
    assert story.told == []


# ── that does not happen ────────────────────────────────────────────────────────────────────


def test_a_switch_that_nobody_waits_for_is_called_off_while_it_drains() -> None:
    story = Story(instance("a", A, serving=1, idle_since=None))
    number = story.ask("b", B)
    story.tell(says.Tick(), 60.0)
    waiting = story.ask("a", A)
    story.tell(says.Left(number))
    assert story.told == ["switch.called_off"]
    assert story.done(says.Grant) == [says.Grant(waiting, "i-a")]
    assert story.box.instances == (instance("a", A, serving=2, idle_since=None),)


def test_the_same_when_its_last_request_has_waited_too_long() -> None:
    story = Story(instance("a", A, serving=1, idle_since=None))
    story.ask("b", B)
    story.tell(says.Tick(), 1800.0)
    assert story.told == []  # it never began
    assert story.state("a") is State.READY


def test_a_called_off_switch_brings_back_what_a_person_started_and_nothing_else() -> None:
    for kept, back in ((True, ["a"]), (False, [])):
        story = Story(instance("a", A, kept=kept))
        number = story.ask("b", B)
        story.tell(says.Left(number))
        assert [each.model for each in story.box.comebacks] == back
        story.ends("i-a")
        assert story.state("a") is (State.STARTING if kept else None)


def test_a_start_that_has_begun_is_not_called_off() -> None:
    story = Story(instance("a", A))
    number = story.ask("b", B)
    story.ends("i-a").tell(says.Prepared("b-s0", 80))
    story.tell(says.Left(number))
    assert (story.told, story.state("b")) == ([], State.STARTING)
    story.tell(says.Answered("b-s0"))
    assert story.told == ["instance.ready", "switch.done"]


# ── that fails ──────────────────────────────────────────────────────────────────────────────


def test_when_the_new_one_fails_the_last_good_one_comes_back() -> None:
    story = Story(instance("a", A))
    number = story.ask("b", B)
    story.ends("i-a").tell(says.Prepared("b-s0", 80))
    story.tell(says.Failed("b-s0", "no token"))
    assert story.told == ["instance.stopping"]
    story.tell(says.Ended("b-s0", STOPPED))
    assert story.told == ["instance.failed", "switch.failed"]
    (refusal,) = story.done(says.Refuse)
    assert isinstance(refusal, says.Refuse)
    assert (refusal.request, refusal.message) == (number, "The model b failed: no token.")
    story.tell(says.Settled("b-s0"))
    assert story.done(says.Prepare) == [says.Prepare("a-s1", "a", on_demand=True)]
    story.starts("a-s1", 60)
    assert story.state("a") is State.READY


def test_it_fails_also_when_its_clients_have_gone_meanwhile() -> None:
    """It is not called off: what it made leave comes back, kept or not."""
    story = Story(instance("a", A))
    number = story.ask("b", B)
    story.ends("i-a").tell(says.Prepared("b-s0", 80))
    story.tell(says.Failed("b-s0", "no token")).tell(says.Left(number))
    assert story.told == []
    story.tell(says.Ended("b-s0", STOPPED))
    assert story.told == ["instance.failed", "switch.failed"]
    assert [each.model for each in story.box.comebacks] == ["a"]


def test_those_that_have_not_left_yet_stay() -> None:
    """The sleeper that was to be woken dies before the other has drained."""
    asleep = instance("b", NAPS, state=State.ASLEEP)
    story = Story(instance("a", A, serving=1, idle_since=None), asleep)
    story.ask("b", NAPS)
    story.tell(says.Tick(), 60.0)
    assert story.state("a") is State.DRAINING
    story.ends("i-b", CRASHED)
    assert "switch.failed" in story.told
    assert story.state("a") is State.READY


def test_two_that_made_room_come_back_beside_each_other_as_they_were() -> None:
    """Each could use the whole machine: none takes more than it had."""
    greedy = Terms(10, 90, 5.0)
    story = Story(
        instance("a", greedy, held_bytes=50), instance("c", greedy, held_bytes=50), now=1000.0
    )
    story.ask("b", Terms(90, 90, 20.0))
    story.ends("i-a").ends("i-c")
    story.tell(says.NotLaunched("b-s0", "no uv"))
    story.starts("a-s1", 50).starts("c-s2", 50)
    held = {each.model: each.held_bytes for each in story.box.live}
    assert held == {"a": 50, "c": 50}


def test_one_that_went_to_sleep_for_a_switch_that_failed_is_woken() -> None:
    story = Story(instance("a", NAPS))
    story.ask("b", B)
    story.tell(says.Slept("i-a"))
    story.tell(says.NotLaunched("b-s0", "no uv"))
    assert story.done(says.Wake) == [says.Wake("i-a", BackEnd.SLEEP_1)]


def test_one_that_slept_before_the_switch_does_not_come_back_when_it_fails() -> None:
    """Nobody used it: it ended to make room, and ends with its memory."""
    asleep = instance("a", replace(NAPS, asleep_bytes=60), state=State.ASLEEP)
    story = Story(asleep)
    story.ask("b", B)
    assert story.told == ["switch.begin", "instance.stopping"]
    story.ends("i-a").tell(says.NotLaunched("b-s0", "no uv"))
    assert "switch.failed" in story.told
    assert (story.state("a"), story.box.comebacks) == (None, ())


# ── sleep ───────────────────────────────────────────────────────────────────────────────────


def test_a_switch_by_sleep_and_back() -> None:
    story = Story(instance("a", NAPS))
    story.ask("b", B)
    assert kinds(story.effects) == ["switch.begin", "instance.sleeping", "PutToSleep"]
    story.tell(says.Slept("i-a"))
    assert story.done(says.Prepare) == [says.Prepare("b-s0", "b", on_demand=True)]
    story.starts("b-s0", 80)
    story.tell(says.Released("b-s0"))
    story.now += 60.0
    number = story.ask("a", NAPS)
    story.ends("b-s0")
    assert story.done(says.Wake) == [says.Wake("i-a", BackEnd.SLEEP_1)]
    story.tell(says.Answered("i-a"))
    assert story.done(says.Grant) == [says.Grant(number, "i-a")]


def test_one_that_cannot_sleep_is_ended() -> None:
    story = Story(instance("a", NAPS))
    story.ask("b", B)
    story.tell(says.Failed("i-a", "409"))
    assert story.done(says.Terminate) == [says.Terminate("i-a")]
    story.ends("i-a")
    assert story.state("a") is State.FAILED
    assert story.state("b") is State.STARTING


def test_waking_takes_what_the_engine_had_and_not_what_the_request_would_plan() -> None:
    """Beside 70 there is no room for its 60, though the request's plan gets along with 20."""
    asleep = instance("a", NAPS, state=State.ASLEEP)
    other = instance("c", Terms(70, 70, 1.0), serving=1, idle_since=None)
    story = Story(asleep, other)
    story.ask("a", replace(NAPS, least_bytes=20))
    assert story.state("a") is State.ASLEEP
    story.tell(says.Tick(), 60.0)
    assert story.state("c") is State.DRAINING


def test_a_comeback_that_sleeps_is_woken_only_where_what_it_had_fits() -> None:
    asleep = instance("a", replace(NAPS, least_bytes=20), state=State.ASLEEP)
    story = Story(asleep, instance("c", Terms(70, 70, 1.0)))
    story.tell(says.Up("a", "i2"))
    assert story.told == ["instance.kept", "instance.not_back"]
    assert story.state("a") is State.ASLEEP


def test_how_it_wakes_is_its_engine_s_affair_whatever_the_settings_say_now() -> None:
    story = Story(instance("a", NAPS, state=State.ASLEEP))
    story.ask("a", replace(A, priority=3))
    woken = story.box.of("a")
    assert woken
    assert woken.terms == replace(NAPS, priority=3)


# ── comebacks ───────────────────────────────────────────────────────────────────────────────


def test_what_a_person_started_comes_back_after_a_crash() -> None:
    story = Story(instance("a", A, kept=True))
    story.ends("i-a", CRASHED)
    assert story.told == ["instance.failed"]
    story.tell(says.Tick(), 1.9)
    assert story.state("a") is State.FAILED
    story.tell(says.Tick(), 0.1)
    assert story.done(says.Prepare) == [says.Prepare("a-s0", "a", on_demand=True)]
    coming = story.box.of("a")
    assert coming
    assert coming.kept


def test_one_that_a_request_started_does_not() -> None:
    story = Story(instance("a", A))
    story.ends("i-a", CRASHED).tell(says.Tick(), 60.0)
    assert story.state("a") is State.FAILED


def test_one_that_the_guard_ended_does_not() -> None:
    story = Story(instance("a", A, kept=True))
    story.tell(says.Tripped("i-a", "2 GiB left")).ends("i-a", CRASHED).tell(says.Tick(), 60.0)
    failed = story.box.of("a")
    assert failed
    assert (failed.state, failed.error) == (
        State.FAILED,
        "the memory guard ended it: 2 GiB left",
    )


def test_a_request_that_is_quicker_than_the_comeback_does_not_make_it_a_passing_one() -> None:
    story = Story(instance("a", A, kept=True))
    story.ends("i-a", CRASHED)
    story.ask("a", A)
    story.tell(says.Tick(), 2.0)
    coming = story.box.of("a")
    assert coming
    assert (coming.state, coming.kept, story.box.comebacks) == (State.STARTING, True, ())


def test_after_three_crashes_in_a_row_it_is_left_alone() -> None:
    story = Story(instance("a", A, kept=True, ready_at=990.0))
    story.ends("i-a", CRASHED)
    for number, pause_s in enumerate((2.0, 15.0)):
        story.tell(says.Tick(), pause_s)
        story.starts(f"a-s{number}", 60).ends(f"a-s{number}", CRASHED)
    assert story.told == ["instance.failed", "breaker.open"]
    story.tell(says.Tick(), OPEN_S + 1)
    assert story.state("a") is State.FAILED


def test_the_breaker_closes_when_the_model_is_served_again_or_a_person_wants_it() -> None:
    def opened() -> Story:
        story = Story(instance("a", A, ready_at=999.0))
        story.ends("i-a", CRASHED)
        for number in range(2):
            story.now += 60.0
            story.ask("a", A)
            story.starts(f"a-s{number}", 60).ends(f"a-s{number}", CRASHED)
        assert "breaker.open" in story.told
        return story

    by_a_request = opened()
    by_a_request.now += OPEN_S
    by_a_request.ask("a", A)
    by_a_request.starts("a-s2", 60)
    assert by_a_request.told == ["instance.ready", "breaker.closed"]
    by_a_person = opened().tell(says.Up("a", "i2", A, 60))
    assert by_a_person.told == ["breaker.closed", "instance.starting"]


def test_comebacks_wait_for_requests() -> None:
    story = Story(instance("a", A, serving=1, idle_since=None))
    story.ask("b", B)
    story.tell(says.Wanted((Leaving("c", Terms(5, 5, 1.0), kept=True),)))
    assert story.state("c") is None
    story.tell(says.Released("i-a")).ends("i-a").starts("b-s0", 80)
    assert story.state("c") is State.STARTING


def test_preloaded_models_start_one_after_another_where_they_fit() -> None:
    small = Terms(30, 30, 1.0)
    wanted = [Leaving(model, small, kept=True) for model in ("a", "b", "c", "d")]
    story = Story().tell(says.Wanted(tuple(wanted)))
    assert [each.model for each in story.box.live] == ["a", "b", "c"]
    assert story.told[-1] == "instance.not_back"


@pytest.mark.parametrize(("served_s", "clean"), [(299.0, False), (300.0, True)])
def test_what_served_for_long_and_leaves_in_good_order_has_a_clean_record(
    served_s: float, clean: bool
) -> None:
    """Else a failure of today would be the third of a row that began last month."""
    for leaves in ("stops", "sleeps"):
        terms = NAPS if leaves == "sleeps" else A
        story = Story(instance("a", terms, ready_at=999.0))
        story.ends("i-a", CRASHED).tell(says.Tick(), 10.0)
        story.ask("a", terms)
        story.starts("a-s0", 60).tell(says.Released("a-s0"))
        story.now += served_s
        assert story.box.breaker("a")
        story.ask("b", B, priority=PERSON)
        story.tell(says.Slept("a-s0")) if leaves == "sleeps" else story.ends("a-s0")
        assert (story.box.breaker("a") is None) is clean


def test_a_failure_after_long_service_begins_a_new_row() -> None:
    story = Story(instance("a", A, ready_at=999.0))
    story.ends("i-a", CRASHED).tell(says.Tick(), 10.0)
    story.ask("a", A)
    story.starts("a-s0", 60).now += 300.0
    story.ends("a-s0", CRASHED)
    held_against = story.box.breaker("a")
    assert held_against
    assert held_against.failures == 1


# ── idle ────────────────────────────────────────────────────────────────────────────────────


def test_an_idle_model_ends_after_its_time() -> None:
    naps = replace(A, idle_s=30.0)
    story = Story(instance("a", naps, idle_since=1000.0))
    story.tell(says.Tick(), 29.9)
    assert story.state("a") is State.READY
    story.tell(says.Tick(), 0.1)
    assert story.told == ["instance.idle", "instance.stopping"]
    story.ends("i-a")
    assert story.box.instances == ()


def test_one_that_can_sleep_sleeps_first_and_ends_later() -> None:
    story = Story(instance("a", replace(NAPS, idle_s=30.0), idle_since=1000.0))
    story.tell(says.Tick(), 30.0)
    assert story.done(says.PutToSleep) == [says.PutToSleep("i-a", BackEnd.SLEEP_1)]
    story.tell(says.Slept("i-a"))
    story.tell(says.Tick(), 29.0)
    assert story.state("a") is State.ASLEEP
    story.tell(says.Tick(), 1.0)
    assert story.state("a") is State.STOPPING


def test_a_pinned_model_stays() -> None:
    story = Story(instance("a", replace(A, idle_s=30.0, pinned=True)))
    story.tell(says.Tick(), 9000.0)
    assert story.state("a") is State.READY


def test_one_that_leaves_by_itself_is_not_a_switch() -> None:
    story = Story(instance("a", replace(A, idle_s=30.0)))
    story.tell(says.Tick())
    leaving = story.box.of("a")
    assert leaving
    assert (leaving.state, leaving.leave, story.box.switch) == (State.STOPPING, None, None)


def test_an_end_does_not_wait_for_the_memory_of_another() -> None:
    """Only a start does: `down` of several models took two minutes for each on a GPU."""
    small = Terms(10, 10, 5.0)
    story = Story(instance("a", A), instance("k", small)).tell(says.Down())
    assert says.Terminate("i-a") in story.effects
    assert says.Terminate("i-k") not in story.effects
    story.tell(says.Ended("i-a", STOPPED))
    assert says.Terminate("i-k") in story.effects
    assert story.box.settling == ("i-a",)
