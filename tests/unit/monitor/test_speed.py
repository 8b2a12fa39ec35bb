"""Shares of the plan and of the roofline, and tokens for a joule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.monitor.speed import (
    Planned,
    interpolated,
    plan_share,
    planned_of,
    roofline_share,
    tokens_per_joule,
)
from sparkwell.planner.efficiency import Efficiency
from sparkwell.planner.speed import BatchSpeed, Speed

PLAN = Planned(10.0, 12.0, ((1, 10.0), (4, 34.0), (8, 60.0)))
WITH_LIMITS = Planned(10.0, 12.0, PLAN.batched, ((1, 12.0), (4, 48.0), (8, 90.0)))


def test_at_a_planned_concurrency() -> None:
    assert plan_share(17.0, 4, PLAN) == pytest.approx(0.5)


def test_between_two_planned_ones() -> None:
    assert plan_share(47.0, 6, PLAN) == pytest.approx(1.0)


def test_an_engine_that_is_busy_half_of_the_time_is_as_fast_as_planned() -> None:
    assert plan_share(5.0, 0.5, PLAN) == pytest.approx(1.0)


def test_more_than_planned_go_no_faster() -> None:
    assert plan_share(60.0, 50, PLAN) == pytest.approx(1.0)


def test_without_batched_speeds_one_stream_is_all_that_is_planned() -> None:
    alone = Planned(10.0, 12.0)
    assert plan_share(20.0, 4, alone) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("tokens", "busy", "plan"),
    [
        (None, 1, PLAN),
        (5.0, None, PLAN),
        (5.0, 1, None),
        (0.1, 0.01, PLAN),
        (5.0, 1, Planned(0, 0)),
    ],
)
def test_what_cannot_be_compared(
    tokens: float | None, busy: float | None, plan: Planned | None
) -> None:
    assert plan_share(tokens, busy, plan) is None
    assert roofline_share(tokens, busy, plan) is None


def test_the_roofline_of_one() -> None:
    assert roofline_share(6.0, 1, PLAN) == pytest.approx(0.5)
    assert roofline_share(3.0, 0.5, PLAN) == pytest.approx(0.5)


def test_the_roofline_of_several_has_to_be_known() -> None:
    assert roofline_share(30.0, 4, PLAN) is None
    assert roofline_share(24.0, 4, WITH_LIMITS) == pytest.approx(0.5)


def test_energy() -> None:
    assert tokens_per_joule(50.0, 100.0) == pytest.approx(0.5)


@pytest.mark.parametrize(("tokens", "power"), [(None, 9), (0.0, 9), (5.0, None), (5.0, 0), (5, -1)])
def test_no_energy(tokens: float | None, power: float | None) -> None:
    assert tokens_per_joule(tokens, power) is None


def test_no_curve() -> None:
    assert interpolated((), 1.0) is None


@given(
    st.lists(st.tuples(st.floats(0.1, 100), st.floats(0, 1e4)), min_size=1, max_size=6),
    st.floats(0, 200),
)
def test_never_outside_of_the_curve(points: list[tuple[float, float]], at: float) -> None:
    found = interpolated(tuple(points), at)
    assert found is not None
    assert -1e-9 <= found <= max(value for _, value in points) + 1e-6


def test_taken_from_a_plan() -> None:
    one = BatchSpeed(1, 600, 10.0, 12.0, "bandwidth")
    four = BatchSpeed(4, 600, 34.0, 48.0, "bandwidth")
    efficiency = Efficiency(0.83, "bf16", "measured", measured=True)
    speed = Speed(12.0, 10.0, 0.83, 0.1, 1e3, 512, 600, "bandwidth", efficiency, (one, four))
    planned = planned_of(speed)
    assert planned == Planned(10.0, 12.0, ((1, 10.0), (4, 34.0)), ((1, 12.0), (4, 48.0)))
