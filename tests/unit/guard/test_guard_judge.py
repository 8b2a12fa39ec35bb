"""Whose turn it is, and when the next one's."""

from hypothesis import given
from hypothesis import strategies as st

from sparkwell.guard.judge import KILL, NONE, TERM, Judge, Target
from sparkwell.guard.proc import Sample
from sparkwell.guard.rules import GIB, History, Limits

OLD, NEW = Target("old", "m", 1.0, pid=1), Target("new", "n", 2.0, pid=2)
BOTH = [NEW, OLD]
STEP_S = 0.25


class Course:
    """A judge over a clock that samples drive; notes what it asked for."""

    def __init__(self, *targets: Target) -> None:
        self.judge, self.history, self.targets = Judge(), History(), list(targets or BOTH)
        self.now, self.limits = 0.0, Limits()
        self.acts: list[tuple[str, str | None]] = []

    def go(self, gib: float, seconds: float) -> "Course":
        for _ in range(round(seconds / STEP_S)):
            self.now += STEP_S
            self.history.add(Sample(self.now, int(gib * GIB)))
            if found := self.judge.decide(self.history, self.limits, self.targets):
                self.acts.append((found.action, found.target.instance if found.target else None))
        return self

    def gone(self) -> "Course":
        victim = self.judge.victim
        assert victim is not None
        self.targets.remove(victim)
        self.judge.ended(self.now)
        return self


def test_the_newest_start_is_asked_and_killed_after_its_grace() -> None:
    course = Course().go(12, 2).go(7, 10)
    assert course.acts == [(TERM, "new")]
    assert course.go(7, 10).acts == [(TERM, "new"), (KILL, "new")]


def test_one_that_was_asked_lives_when_memory_is_back() -> None:
    assert Course().go(7, 3).go(9, 60).acts == [(TERM, "new")]


def test_the_hard_floor_ends_the_grace() -> None:
    assert Course().go(7, 3).go(3.9, 0.25).acts == [(TERM, "new"), (KILL, "new")]


def test_the_hard_floor_kills_at_once() -> None:
    assert Course().go(12, 2).go(3, 5).acts == [(KILL, "new")]


def test_the_next_turn_comes_when_the_first_is_gone_and_memory_is_still_low() -> None:
    course = Course().go(3, 1).gone().go(3, 0.75)
    assert course.acts == [(KILL, "new")]
    assert course.go(3, 0.25).acts == [(KILL, "new"), (KILL, "old")]


def test_nobody_else_is_ended_when_memory_is_back() -> None:
    assert Course().go(3, 1).gone().go(60, 60).acts == [(KILL, "new")]


def test_the_next_turn_comes_when_the_first_does_not_die() -> None:
    course = Course().go(3, 10)
    assert course.acts == [(KILL, "new")]
    assert course.go(3, 1).acts == [(KILL, "new"), (KILL, "old")]


def test_one_that_cannot_be_ended_is_passed_over() -> None:
    course = Course()
    course.judge.cannot(NEW)
    assert course.go(7, 3).acts == [(TERM, "old")]


def test_a_name_that_is_gone_is_forgotten() -> None:
    course = Course()
    course.judge.cannot(NEW)
    course.judge.keep({"old"})
    assert course.go(7, 3).acts == [(TERM, "new")]


def test_that_nobody_is_left_is_said_once_a_minute() -> None:
    course = Course(OLD)
    course.judge.cannot(OLD)
    assert course.go(3, 59).acts == [(NONE, None)]
    assert course.go(3, 2).acts == [(NONE, None)] * 2


@given(st.lists(st.tuples(st.floats(0, 16), st.floats(0.25, 30)), max_size=12), st.booleans())
def test_a_kill_is_never_repeated_and_victims_come_newest_first(
    steps: list[tuple[float, float]], dies: bool
) -> None:
    course = Course(*BOTH)
    for gib, seconds in steps:
        course.go(gib, seconds)
        if dies and course.judge.killed_at is not None:
            course.gone()
    kills = [instance for action, instance in course.acts if action == KILL]
    assert len(kills) == len(set(kills))
    ended = [instance for action, instance in course.acts if action != NONE]
    assert "old" not in ended[: ended.index("new")] if "new" in ended else "old" not in ended


@given(st.lists(st.floats(8, 120), min_size=1, max_size=200))
def test_nothing_happens_above_the_soft_floor(available: list[float]) -> None:
    course = Course()
    for gib in available:
        course.go(gib, STEP_S)
    assert course.acts == []
