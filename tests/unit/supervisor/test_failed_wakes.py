"""An engine that sleeps and cannot be woken: who waits is told, and gets a start instead."""

from dataclasses import replace

import pytest
from tests.unit.supervisor.story import CRASHED, NAPS, Story, instance

from sparkwell.core.errors import NotReadyError
from sparkwell.supervisor import messages as says
from sparkwell.supervisor.box import State
from sparkwell.supervisor.terms import BackEnd, Terms

OTHER = Terms(80, 80, 20.0)


def waking(**changes: object) -> Story:
    """The model c has made room for a, which a request wakes."""
    asleep = instance("a", NAPS, state=State.ASLEEP, idle_since=0.0)
    story = Story(replace(asleep, **changes), instance("c", OTHER))  # type: ignore[arg-type]
    story.ask("a", NAPS)
    story.ends("i-c")
    assert story.state("a") is State.WAKING
    return story


def not_woken(**changes: object) -> Story:
    story = waking(**changes).tell(says.Failed("i-a", "it did not answer."))
    assert story.told == ["instance.stopping"]
    return story


def test_who_waits_gets_a_start_at_once_and_the_events_say_why() -> None:
    story = not_woken().tell(says.Ended("i-a", CRASHED))
    assert story.told == ["instance.failed"]
    told = story.words("instance.failed")
    assert told.message == (
        "a could not be woken: it did not answer; it is started for those who wait"
    )
    assert dict(told.data) == {"waking": True, "requests_waiting": 1}
    story.tell(says.Settled("i-a"))
    assert story.done(says.Prepare) == [says.Prepare("a-s0", "a", on_demand=True)]
    story.starts("a-s0", 60)
    assert story.told == ["instance.ready", "switch.done"]
    assert story.done(says.Grant) == [says.Grant(1, "a-s0")]


def test_the_same_where_the_engine_ends_while_it_wakes() -> None:
    story = waking().ends("i-a", CRASHED)
    said = "a could not be woken: the engine ended by itself while waking (exit code 1)"
    assert story.words("instance.failed").message.startswith(said)
    assert (story.state("a"), story.box.breakers) == (State.STARTING, ())


def test_nothing_is_held_against_the_model() -> None:
    """However often: only a start that fails, or a crash, counts."""
    story = not_woken().ends("i-a")
    for number in range(5):
        started = f"a-s{number}"
        story.starts(started, 60)
        asleep = replace(instance("a", NAPS, state=State.ASLEEP), id=started)
        story.box = replace(story.box.with_(asleep), switch=None)
        story.ask("a", NAPS)
        story.tell(says.Failed(started, "it did not answer")).ends(started)
    assert story.box.breakers == ()
    assert story.state("a") is State.STARTING


def test_when_the_start_fails_too_that_counts_and_the_switch_has_failed() -> None:
    story = not_woken().ends("i-a").tell(says.NotLaunched("a-s0", "no uv"))
    assert story.told[:2] == ["instance.failed", "switch.failed"]
    (refusal,) = story.done(says.Refuse)
    assert isinstance(refusal, says.Refuse)
    assert (refusal.kind, refusal.message) == (NotReadyError, "The model a failed: no uv.")
    assert [each.failures for each in story.box.breakers] == [1]
    assert story.state("c") is State.STARTING


def test_where_nobody_waits_any_more_who_made_room_comes_back() -> None:
    story = waking().tell(says.Left(1)).tell(says.Failed("i-a", "no")).ends("i-a")
    assert story.told[:2] == ["instance.failed", "switch.failed"]
    assert story.words("instance.failed").message == "a could not be woken: no"
    assert (story.state("a"), story.state("c")) == (State.FAILED, State.STARTING)
    assert story.box.breakers == ()


def test_where_who_waited_goes_before_the_start_the_switch_is_called_off() -> None:
    story = not_woken().tell(says.Ended("i-a", CRASHED)).tell(says.Left(1))
    assert story.told == ["switch.called_off"]
    assert (story.state("a"), story.box.switch) == (State.FAILED, None)


def test_one_that_the_guard_has_ended_meanwhile_counts() -> None:
    story = waking().tell(says.Tripped("i-a", "2 GiB left")).ends("i-a", CRASHED)
    assert [each.failures for each in story.box.breakers] == [1]


def test_one_whose_end_cannot_be_seen_to_is_not_started_beside_itself() -> None:
    story = not_woken().tell(says.Lost("i-a", "no docker"))
    assert len(story.done(says.Refuse)) == 1
    assert story.state("a") is State.FAILED
    assert story.done(says.Prepare) == []


@pytest.mark.parametrize("ready_at", [0.0, None])
def test_what_a_person_had_started_comes_back_by_itself(ready_at: float | None) -> None:
    """Also one that slept already when this daemon began."""
    asleep = instance("a", NAPS, state=State.ASLEEP, kept=True, ready_at=ready_at)
    story = Story(asleep).tell(says.Up("a", "i2", NAPS))
    assert story.state("a") is State.WAKING
    story.tell(says.Failed("i-a", "no")).ends("i-a")
    started = story.box.of("a")
    assert started
    assert (started.state, started.kept) == (State.STARTING, True)


def test_the_next_run_ends_to_make_room_and_the_one_after_it_sleeps_again() -> None:
    story = not_woken().ends("i-a").starts("a-s0", 60).tell(says.Released("a-s0"))
    first = story.box.of("a")
    assert first
    assert first.terms == replace(NAPS, back_end=BackEnd.COLD)
    story.now += 60.0
    story.ask("c", OTHER)
    assert story.done(says.Terminate) == [says.Terminate("a-s0")]
    story.ends("a-s0").starts("c-s1", 80).tell(says.Released("c-s1"))
    story.now += 60.0
    story.ask("a", NAPS)
    story.ends("c-s1")
    second = story.box.of("a")
    assert second
    assert second.terms.back_end is BackEnd.SLEEP_1


def test_a_person_who_starts_it_has_it_sleep_again() -> None:
    story = (
        waking().tell(says.Left(1)).tell(says.Failed("i-a", "no")).tell(says.Ended("i-a", CRASHED))
    )
    story.tell(says.Down("c")).tell(says.Settled("i-a")).tell(says.Up("a", "i2", NAPS, 60))
    started = story.box.of("a")
    assert started
    assert started.terms.back_end is BackEnd.SLEEP_1
