"""Rows as lines to draw: so many points at most, and a gap is not a line."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.core.errors import UsageError
from sparkwell.store.series_lines import MOST_POINTS, Line, Stored, draw, span


def row(at: float, value: float, step_s: float = 5.0, peak: float | None = None) -> Stored:
    return Stored(at, step_s, (value,), (value if peak is None else peak,))


def line(rows: list[Stored], since: float, until: float, points: int, finest: float = 5.0) -> Line:
    return draw(["running"], [0], rows, span(since, until, points, finest)).means["running"]


def test_as_sampled() -> None:
    assert line([row(0, 1), row(5, 2), row(10, 3)], 0, 15, 100) == (1, 2, 3)


def test_a_mean_of_what_falls_together() -> None:
    lines = draw(["running"], [0], [row(0, 1), row(5, 3)], span(0, 10, 1, 5))
    assert [*lines.means["running"], *lines.peaks["running"]] == [2, 3]
    assert (lines.at, lines.step_s) == ((0,), 10)


def test_of_available_memory_the_lowest_is_the_peak() -> None:
    rows = [row(0, 9, peak=8), row(5, 3, peak=2)]
    lines = draw(["available_bytes"], [0], rows, span(0, 10, 1, 5))
    assert lines.peaks["available_bytes"] == (2,)


def test_a_minute_weighs_as_much_as_twelve_samples() -> None:
    rows = [row(0, 1, 60), *(row(60 + 5 * i, 3) for i in range(12))]
    assert list(line(rows, 0, 120, 1)) == pytest.approx([2])


def test_a_gap_is_none() -> None:
    assert line([row(0, 1), row(5, 1), row(20, 2)], 0, 25, 100) == (1, 1, None, None, 2)


def test_unsteady_rounds_are_no_gap() -> None:
    """The round before was just inside its interval, this one is just past the next."""
    assert line([row(4.9, 1), row(10.1, 2)], 0, 15, 100) == (1, 2, 2)


def test_an_unknown_value_is_a_gap() -> None:
    assert line([row(0, 1), row(5, math.nan), row(10, 2)], 0, 15, 100) == (1, None, 2)


def test_rows_of_before_a_name_came() -> None:
    old, new = Stored(0, 5, (), ()), row(5, 2)
    assert line([old, new], 0, 10, 100) == (None, 2)


def test_in_any_order() -> None:
    assert line([row(10, 3), row(0, 1), row(5, 2)], 0, 15, 100) == (1, 2, 3)


def test_never_finer_than_the_rows() -> None:
    assert span(0, 600, 300, 60).step_s == 60
    assert span(0, 600, 300, 60).count == 10


def test_nothing_to_draw() -> None:
    assert line([], 0, 15, 3) == (None, None, None)
    assert line([], 15, 0, 3) == ()
    assert line([], 5, 5, 3) == ()


@pytest.mark.parametrize(
    ("since", "until", "points"),
    [(math.nan, 1, 1), (0, math.inf, 1), (-math.inf, 0, 1), (0, 1, 0), (0, 1, -5)],
)
def test_no_sense(since: float, until: float, points: int) -> None:
    with pytest.raises(UsageError):
        span(since, until, points, 5)


@given(
    since=st.floats(0, 2e9),
    length=st.floats(0, 1e8),
    points=st.integers(1, 10_000),
    finest=st.sampled_from([5.0, 60.0, 900.0]),
)
def test_so_many_points_at_most(since: float, length: float, points: int, finest: float) -> None:
    over = span(since, since + length, points, finest)
    assert 0 <= over.count <= min(points, MOST_POINTS)
    assert over.step_s >= finest
    assert over.count * over.step_s >= (since + length - since) * (1 - 1e-6)


@given(
    st.lists(st.tuples(st.integers(-100, 700), st.floats(0, 100)), max_size=60),
    st.integers(1, 80),
)
def test_all_that_was_sampled_is_within_its_bounds(
    samples: list[tuple[int, float]], points: int
) -> None:
    rows = [row(at, value) for at, value in samples]
    found = line(rows, 0, 600, points)
    values = [value for _, value in samples]
    assert len(found) <= points
    for value in found:
        assert value is None or min(values) - 1e-6 <= value <= max(values) + 1e-6
