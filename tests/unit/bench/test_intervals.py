"""Intervals against values of textbooks, and what they call a difference."""

import random

import pytest

from sparkwell.bench.intervals import interval, ratio, t95


@pytest.mark.parametrize(("freedom", "t"), [(1, 12.706), (2, 4.303), (4, 2.776), (29.9, 2.045),
                                            (30, 2.042), (31, 2.0395), (60, 2.0003),
                                            (120, 1.9799), (0.4, 12.706)])  # fmt: skip
def test_students_t(freedom: float, t: float) -> None:
    assert t95(freedom) == pytest.approx(t, abs=0.001)


def test_an_interval_of_three_repeats() -> None:
    """Mean 11, standard deviation 1: 4.303 / √3 = 2.484."""
    found = interval([10.0, 11.0, 12.0])
    assert found.mean == 11.0
    assert found.low == pytest.approx(11 - 2.484, abs=1e-3)
    assert found.high == pytest.approx(11 + 2.484, abs=1e-3)


def test_one_repeat_has_no_interval() -> None:
    assert (interval([5.0]).low, interval([5.0]).high, interval([5.0]).repeats) == (None, None, 1)


def test_a_clear_difference_is_one() -> None:
    found = ratio([100.0, 101.0, 99.0], [200.0, 201.0, 199.0])
    assert found is not None
    assert found.value == pytest.approx(2.0, rel=1e-3)
    assert found.verdict == "more"
    back = ratio([200.0, 201.0, 199.0], [100.0, 101.0, 99.0])
    assert back is not None
    assert back.verdict == "less"


def test_noise_is_called_no_difference() -> None:
    found = ratio([100.0, 120.0, 90.0], [105.0, 125.0, 88.0])
    assert found is not None
    assert found.verdict == "no difference shown"


def test_the_same_machine_against_itself_is_seldom_called_different() -> None:
    """A 95 % interval is wrong one time in twenty, also with three repeats."""
    chance = random.Random(1)
    wrong = 0
    for _ in range(2000):
        one, other = ([chance.gauss(100, 5) for _ in range(3)] for _ in range(2))
        found = ratio(one, other)
        assert found is not None
        wrong += found.verdict != "no difference shown"
    assert wrong / 2000 < 0.06


def test_single_measurements_tell_nothing() -> None:
    found = ratio([1.0], [9.0])
    assert found is not None
    assert (found.low, found.verdict) == (None, "too few repeats")


@pytest.mark.parametrize(("before", "after"), [([], [1.0]), ([0.0, 1.0], [1.0, 2.0])])
def test_no_ratio_to_nothing(before: list[float], after: list[float]) -> None:
    assert ratio(before, after) is None


def test_equal_repeats_leave_no_doubt() -> None:
    found = ratio([2.0, 2.0], [2.0, 2.0])
    assert found is not None
    assert (found.low, found.high, found.verdict) == (1.0, 1.0, "no difference shown")


@pytest.mark.parametrize("other", [2.0000001, 2.4, 200.0])
@pytest.mark.parametrize("repeats", [2, 3])
def test_repeats_without_any_spread_prove_no_difference(other: float, repeats: int) -> None:
    """How far the next would be off is not known then: counts and rounded times are often equal."""
    found = ratio([2.0] * repeats, [other] * repeats)
    assert found is not None
    assert found.value == pytest.approx(other / 2)
    assert (found.low, found.high, found.p) == (None, None, None)
    assert found.verdict == "too few repeats"
    spread = ratio([2.0] * repeats, [other, *[other * 1.001] * (repeats - 1)])
    assert spread is not None
    assert spread.low is not None
