"""How long a trial may take."""

import asyncio

import pytest
from tests.unit.tune.made import trial

from sparkwell.app.tuning.limits import (
    LEAST_S,
    LEAST_START_S,
    Limits,
    TookTooLongError,
    limits,
    within,
)


def test_the_first_start_has_the_budgets_end_alone() -> None:
    assert limits(None, 1, 3600.0, None) == Limits(whole_s=3600.0)


def test_others_have_three_times_what_the_first_took_and_leave_the_check_its_time() -> None:
    before = trial(0, start_s=300.0, measure_s=50.0, figures=[{}])
    assert limits(before, 1, 3600.0, 600.0) == Limits(900.0, 150.0, 3000.0)


def test_short_ones_vary_and_kernels_are_compiled() -> None:
    before = trial(0, start_s=5.0, measure_s=2.0, figures=[{}])
    assert limits(before, 1, 100.0, 200.0) == Limits(LEAST_START_S, LEAST_S, 0.0)


def test_other_flags_may_bear_more_steps_of_a_ladder() -> None:
    before = trial(0, start_s=5.0, measure_s=50.0, figures=[{}] * 5)
    assert limits(before, 14, 3600.0, None).measure_s == 3 * 10 * 14


def test_a_start_takes_of_the_whole() -> None:
    assert Limits(5.0, 30.0, 100.0).of_measuring(60.0) == Limits(None, 30.0, 40.0)
    assert Limits(5.0, 30.0).of_measuring(60.0) == Limits(None, 30.0)


@pytest.mark.parametrize(
    ("limit_s", "whole_s", "overran"), [(0.01, None, True), (0.01, 9.0, True), (9.0, 0.0, False)]
)
def test_what_reaches_one_is_over_before_that_is_told(
    limit_s: float, whole_s: float | None, overran: bool
) -> None:
    over: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            over.append(True)

    with pytest.raises(TookTooLongError, match="took too long") as told:
        asyncio.run(within(limit_s, whole_s, work()))
    assert (told.value.overran, over) == (overran, [True])


def test_what_does_not_is_its_own_affair() -> None:
    async def late() -> None:
        raise TimeoutError

    assert asyncio.run(within(None, 9.0, asyncio.sleep(0, 3))) == 3
    with pytest.raises(TimeoutError):
        asyncio.run(within(None, 9.0, late()))
