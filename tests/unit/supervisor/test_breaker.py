"""What is held against a model that failed: growing pauses, the first reason, a fresh start."""

import pytest

from sparkwell.supervisor import breaker
from sparkwell.supervisor.breaker import OPEN_S, STABLE_S, Breaker, failed


def row(*served: float | None, now: float = 100.0) -> list[Breaker]:
    """Failures one after another, each after so many seconds of service; None: while starting."""
    found: list[Breaker] = []
    for number, served_s in enumerate(served):
        before = found[-1] if found else None
        reason = f"reason {number}"
        found.append(failed(before, "m", f"i{number}", reason, now=now, served_s=served_s))
    return found


def pauses(found: list[Breaker], now: float = 100.0) -> list[float]:
    return [each.not_before - now for each in found]


def test_pauses_after_starts_that_failed_grow() -> None:
    assert pauses(row(None, None, None, None)) == [10.0, 60.0, OPEN_S, OPEN_S]


def test_pauses_after_crashes_are_shorter() -> None:
    assert pauses(row(5.0, 5.0, 5.0)) == [2.0, 15.0, OPEN_S]


def test_it_opens_with_the_third_failure_in_a_row() -> None:
    assert [each.open for each in row(None, 3.0, None)] == [False, False, True]


def test_the_first_reason_of_a_row_is_kept() -> None:
    """Those that follow are often its echo."""
    last = row(None, None, 3.0)[-1]
    assert (last.reason, last.instance, last.failures) == ("reason 0", "i0", 3)


def test_one_that_served_for_long_begins_a_new_row() -> None:
    last = row(None, None, STABLE_S)[-1]
    assert (last.failures, last.reason, last.open) == (1, "reason 2", False)
    assert row(None, None, STABLE_S - 1)[-1].failures == 3


@pytest.mark.parametrize(
    ("served", "told_at_once"),
    [((None,), True), ((5.0,), False), ((5.0, 5.0), False), ((5.0, 5.0, 5.0), True)],
)
def test_who_is_told_at_once(served: tuple[float | None, ...], told_at_once: bool) -> None:
    """After a crash requests wait for the next try; after a failed start they hear of it."""
    last = row(*served)[-1]
    assert last.holds_back(100.0)
    assert last.refuses(100.0) is told_at_once


def test_after_its_pause_it_holds_nobody_back() -> None:
    last = row(None, None, None)[-1]
    assert last.holds_back(last.not_before - 0.001)
    assert not last.holds_back(last.not_before)
    assert not last.refuses(last.not_before)


def test_there_is_a_pause_for_each_failure_before_it_opens() -> None:
    for pauses_s in (breaker.PAUSES_AFTER_START_S, breaker.PAUSES_AFTER_CRASH_S):
        assert len(pauses_s) == breaker.FAILURES_TO_OPEN - 1
