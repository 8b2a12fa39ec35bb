"""The course of a switch, from events and from what was seen of it."""

from typing import Any

import pytest
from tests.unit.cli.top.documents import NOW, SWITCH, begun, event, status

from sparkwell.cli.top.course import last_course, merged, seen
from sparkwell.cli.top.scene import EVENTS, Scene

Json = dict[str, Any]


def happened(*kinds: tuple[float, str, str | None]) -> list[Json]:
    """A switch that began at 100, with events at the given seconds."""
    first = {**begun(1, 0), "at": 100.0}
    rest = [
        {**event(number, 0, kind, f"said {kind}", model), "at": at}
        for number, (at, kind, model) in enumerate(kinds, 2)
    ]
    return [first, *rest]


WHOLE = (
    (103.0, "switch.drained", None),
    (103.0, "instance.stopping", "qwen3-32b-fp8"),
    (107.0, "instance.stopped", "qwen3-32b-fp8"),
    (109.0, "memory.verified", None),
    (110.0, "instance.starting", "qwen3-8b-fp8"),
    (150.0, "switch.done", "qwen3-8b-fp8"),
)


def times(events: list[Json], now: float = 999.0) -> list[float | None]:
    course = last_course(events)
    assert course is not None
    return [course.spent(step, now) for step in ("draining", "stopping", "verifying", "starting")]


def test_seconds_of_each_step_come_from_the_events() -> None:
    assert times(happened(*WHOLE)) == [3, 4, 2, 41]
    assert times(happened(*WHOLE[:3]), now=108) == [3, 4, 1, None]
    assert times(happened(), now=102.5) == [2.5, None, None, None]


def test_without_a_word_of_the_memory_the_start_ends_the_wait_for_it() -> None:
    events = happened(
        *((102.0, "instance.starting", "qwen3-8b-fp8"), *WHOLE[1:3]),
        (111.0, "instance.waking", "qwen3-8b-fp8"),
        (112.0, "instance.starting", "qwen3-8b-fp8"),
    )
    assert times(events, now=120) == [3, 4, 4, 9]


def test_no_switch_no_course() -> None:
    assert last_course([]) is None
    assert last_course([event(1, 0, "instance.stopped", "x", "x")]) is None


def test_what_other_models_do_meanwhile_does_not_count() -> None:
    others = ((101.0, "instance.stopped", "another"), (102.0, "instance.starting", "qwen3-8b-fp8"))
    assert times(happened(*others, *WHOLE)) == [3, 4, 2, 41]


def test_of_two_models_that_stop_the_last_counts() -> None:
    events = happened(
        *WHOLE[:3], (112.0, "instance.stopped", "b"), (113.0, "memory.verified", None)
    )
    events[0]["data"]["from"] = ["qwen3-32b-fp8", "b"]
    assert times(events, now=120) == [3, 9, 1, 7]


def test_the_newest_switch_is_told() -> None:
    again = {**begun(20, 0), "at": 200.0, "data": {}, "model": "third"}
    course = last_course([*happened(*WHOLE), again])
    assert course is not None
    assert (course.to, course.gone, course.outcome) == ("third", (), None)


@pytest.mark.parametrize(
    ("kinds", "outcome", "ended"),
    [
        (["switch.failed"], "failed", 160.0),
        (["switch.failed", "switch.rolled_back"], "rolled back", 160.0),
        (["switch.rolled_back"], "rolled back", 160.0),
        (["switch.failed", "switch.done"], "failed", 160.0),
        (["switch.called_off"], "called off", 160.0),
    ],
)
def test_how_it_ended(kinds: list[str], outcome: str, ended: float) -> None:
    ends = [(160.0 + number, kind, None) for number, kind in enumerate(kinds)]
    course = last_course(happened(*WHOLE[:5], *ends))
    assert course is not None
    assert (course.outcome, course.ended) == (outcome, ended)
    assert course.message == f"said {kinds[0]}"
    assert course.spent("starting", 999) == 51


def test_events_are_believed_before_what_was_seen() -> None:
    told = last_course(happened(*WHOLE[:2]))
    late = [("draining", 100.2), ("stopping", 103.3), ("verifying", 107.2)]
    both = merged(told, seen(SWITCH, late))
    assert both.began == {"draining": 100.0, "stopping": 103.0, "verifying": 107.2}


def test_a_step_that_was_seen_too_late_says_nothing() -> None:
    told = last_course(happened(*WHOLE[:4]))
    both = merged(told, seen(SWITCH, [("draining", 100.0), ("stopping", 105.0)]))
    assert both.spent("stopping", 999) == 4
    lost = merged(None, seen(SWITCH, [("draining", 108.0), ("stopping", 105.0)]))
    assert lost.spent("draining", 999) is None


def test_events_of_an_earlier_switch_are_not_this_one() -> None:
    assert merged(last_course(happened(*WHOLE)), seen(SWITCH, ())).began == {}
    other = {**SWITCH, "to": "another"}
    assert merged(last_course(happened(*WHOLE[:2])), seen(other, ())).began == {}


# ── the scene ───────────────────────────────────────────────────────────────────────────────


def at_step(step: str, to: str = "b", since_s: float = 5.0) -> Json:
    return status(switch={"from": ["a"], "to": to, "step": step, "since_s": since_s})


def test_steps_are_noted_when_they_are_first_seen() -> None:
    scene = Scene(status(switch=None), NOW)
    for second, step in enumerate(["draining", "draining", "stopping", "starting"]):
        scene = scene.with_status(at_step(step), NOW + second)
    assert scene.steps == (("draining", NOW - 5), ("stopping", NOW + 2), ("starting", NOW + 3))
    assert scene.with_status(at_step("starting", to="c"), NOW + 9).steps == (("starting", NOW + 9),)
    assert scene.with_status(status(switch=None), NOW + 9).steps == ()


def test_events_are_taken_once_and_without_the_steady_ones() -> None:
    scene = Scene(status(), NOW)
    for each in [event(1, 5, "a.b", "x"), event(1, 5, "a.b", "x"), event(1, 3, "a.b", "x")]:
        scene = scene.with_event(each)
    assert len(scene.events) == 2  # the number 1 of another daemon is another event
    assert scene.with_event(event(2, 0, "instance.progress", "x")) is scene


def test_old_events_are_forgotten() -> None:
    scene = Scene(status(), NOW)
    for number in range(EVENTS + 10):
        scene = scene.with_event(event(number, 0, "a.b", "x"))
    assert len(scene.events) == EVENTS
    assert scene.events[-1]["seq"] == EVENTS + 9


def test_the_daemon_has_gone_since_it_was_first_missed() -> None:
    scene = Scene(status(), NOW).without_daemon(NOW + 1).without_daemon(NOW + 2)
    assert scene.gone_since == NOW + 1
    assert scene.with_status(status(), NOW + 3).gone_since is None
