"""Percentiles between two looks at a histogram, beside a reference that counts one by one."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.engines.samples import Histogram
from sparkwell.monitor.quantiles import Ended, ended, quantile

BOUNDS = (0.1, 0.5, 1.0, math.inf)


def histogram(*counts: float, bounds: tuple[float, ...] = BOUNDS, sum_s: float = 0) -> Histogram:
    return Histogram(bounds, counts, sum_s)


def between(*counts: float) -> Ended | None:
    return ended(histogram(0, 0, 0, 0), histogram(*counts))


def test_linear_inside_the_bucket() -> None:
    assert quantile(between(0, 10, 10, 10), 0.5) == pytest.approx(0.3)
    assert quantile(between(4, 8, 8, 8), 0.25) == pytest.approx(0.05)
    assert quantile(between(4, 8, 8, 8), 0.75) == pytest.approx(0.3)


def test_beyond_the_last_bound_is_said_to_be_there() -> None:
    assert quantile(between(0, 0, 0, 5), 0.5) == 1.0


def test_nothing_ended() -> None:
    assert quantile(between(0, 0, 0, 0), 0.5) is None
    assert quantile(ended(histogram(1, 2, 3, 4), histogram(1, 2, 3, 4)), 0.95) is None


def test_only_what_ended_in_the_interval_counts() -> None:
    found = ended(histogram(100, 100, 100, 100), histogram(100, 100, 110, 110))
    assert quantile(found, 0.5) == pytest.approx(0.75)


def test_an_engine_that_began_anew_has_no_difference() -> None:
    assert ended(histogram(5, 5, 5, 5), histogram(1, 6, 6, 6)) is None


def test_other_buckets_are_not_compared() -> None:
    other = histogram(1, 2, bounds=(1.0, math.inf))
    assert ended(histogram(1, 2, 3, 4), other) is None
    assert ended(None, other) is None
    assert ended(other, None) is None
    assert ended(Histogram((), (), 0), Histogram((), (), 0)) is None
    assert ended(histogram(1, 2, 3, 4), histogram(1, 2, 3, 4, bounds=(1, 1, 2, 3))) is None


def test_a_bucket_for_everything_alone_tells_nothing() -> None:
    empty, one = (histogram(count, bounds=(math.inf,)) for count in (0, 3))
    assert quantile(ended(empty, one), 0.5) is None


def test_looks_at_two_moments_are_made_to_ascend() -> None:
    assert between(3, 2, 4, 4) == Ended(BOUNDS, (3, 3, 4, 4), 0)


def test_numbers_that_are_none_are_not_known() -> None:
    assert between(math.nan, 1, 1, 1) is None
    assert between(0, 0, 0, math.inf) is None


counts = st.lists(st.integers(0, 40), min_size=5, max_size=5)
BOUNDS_5 = (0.05, 0.25, 1.0, 7.5, math.inf)


def one_by_one(buckets: list[int], share: float) -> float | None:
    """Every value written out, evenly through its bucket; the rank's place among them."""
    lows = (0.0, *BOUNDS_5[:-1])
    total = sum(buckets)
    if not total:
        return None
    left = share * total
    for low, high, count in zip(lows, BOUNDS_5, buckets, strict=True):
        if left <= count and (count or share == 0):
            return low if math.isinf(high) else low + (high - low) * left / count
        left -= count
    return lows[-1]


@given(before=counts, more=counts, share=st.floats(0.01, 1.0))
def test_as_the_reference(before: list[int], more: list[int], share: float) -> None:
    def look(buckets: list[int]) -> Histogram:
        return Histogram(BOUNDS_5, tuple(float(sum(buckets[: i + 1])) for i in range(5)), 0.0)

    early, late = look(before), look([a + b for a, b in zip(before, more, strict=True)])
    found, expected = quantile(ended(early, late), share), one_by_one(more, share)
    if expected is None:
        assert found is None
    else:
        assert found == pytest.approx(expected)
        assert found is not None
        assert 0 <= found <= BOUNDS_5[-2]


@given(more=counts, shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_higher_percentiles_are_not_lower(more: list[int], shares: tuple[float, float]) -> None:
    sums = [float(sum(more[: i + 1])) for i in range(5)]
    found = Ended(BOUNDS_5, tuple(sums), 0.0)
    low, high = (quantile(found, share) for share in sorted(shares))
    assert low is None or high is None or low <= high + 1e-12
