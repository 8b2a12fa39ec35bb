"""Questions to other programs: answered at once, kept for a while, and never waited for long."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from sparkwell.app.quickly import Quickly


class Other:
    """Another program: answers when it may, and counts who asks."""

    def __init__(self) -> None:
        self.answer: bool | Exception = True
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked = 0

    async def question(self) -> bool:
        self.asked += 1
        while not self.may_answer.is_set():
            await asyncio.sleep(0.001)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Clock:
    """Time that passes when a test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def other() -> Iterator[Other]:
    found = Other()
    yield found
    found.may_answer.set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def quickly(clock: Clock) -> Quickly:
    return Quickly(limit_s=5.0, clock=clock)


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not done():
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.mark.parametrize("answer", [True, False])
def test_yes_and_no(quickly: Quickly, other: Other, answer: bool) -> None:
    other.answer = answer
    assert quickly.ask("x", other.question) is answer


@pytest.mark.parametrize("error", [OSError("gone"), TimeoutError(), ValueError("what?")])
def test_a_question_that_fails_is_no_answer(
    quickly: Quickly, other: Other, error: Exception
) -> None:
    other.answer = error
    assert quickly.ask("x", other.question) is None


@pytest.mark.parametrize(("answer", "fresh_s"), [(True, 60), (False, 2), (OSError("gone"), 10)])
def test_an_answer_counts_for_a_while(
    quickly: Quickly, other: Other, clock: Clock, answer: bool | Exception, fresh_s: float
) -> None:
    """Hundreds may ask for the model at once."""
    other.answer = answer
    first = quickly.ask("x", other.question)
    clock.now += fresh_s - 0.1
    assert quickly.ask("x", other.question) is first
    assert other.asked == 1
    clock.now += 0.2
    other.answer = True
    assert quickly.ask("x", other.question) is True
    assert other.asked == 2


def test_answers_are_kept_apart(quickly: Quickly, other: Other) -> None:
    assert quickly.ask("x", other.question) is True
    other.answer = False
    assert quickly.ask("y", other.question) is False
    assert quickly.ask("x", other.question) is True


def test_who_is_slow_holds_nobody_up(other: Other) -> None:
    """Waited for once; who asks meanwhile is not held up at all, and asks no second time."""
    quickly = Quickly(limit_s=0.05)
    other.may_answer.clear()
    began = time.monotonic()
    assert quickly.ask("x", other.question) is None
    assert 0.04 < time.monotonic() - began < 2
    began = time.monotonic()
    assert [quickly.ask("x", other.question) for _ in range(100)] == [None] * 100
    assert time.monotonic() - began < 0.04
    assert other.asked == 1
    other.may_answer.set()
    until(lambda: quickly.ask("x", other.question) is True)
    assert other.asked == 1


async def test_it_may_be_asked_within_an_event_loop(quickly: Quickly, other: Other) -> None:
    assert quickly.ask("x", other.question) is True
