"""Rows packed and folded, and the plan of what is folded when."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.store.series_names import ENGINE_SERIES, MACHINE, MACHINE_SERIES, Source
from sparkwell.store.series_plan import Fold, Limits, Tier, due
from sparkwell.store.series_rows import Row, fold, pack, pack_values, unpack

HOUR = 3600.0
DAY = 24 * HOUR
NOW = 1_800_000_000.0
LIMITS = Limits()
NAMES = ("kv_used", "available_bytes")


def same(left: tuple[float, ...], right: tuple[float, ...]) -> bool:
    return len(left) == len(right) and all(
        a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(left, right, strict=True)
    )


# ── rows ────────────────────────────────────────────────────────────────────────────────────


@given(
    st.lists(st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False),
             min_size=1, max_size=16)
)  # fmt: skip
def test_a_moment_comes_back(values: list[float | None]) -> None:
    names = ENGINE_SERIES[: len(values)]
    data = pack_values(names, dict(zip(names, values, strict=True)))
    if data is None:
        assert not any(value is not None for value in values)
        return
    means, peaks = unpack(data, folded=False)
    expected = tuple(math.nan if value is None else value for value in values)
    assert same(means, expected)
    assert same(peaks, expected)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300, 10**400])
def test_what_no_float_holds_is_unknown(value: float) -> None:
    assert pack_values(("running", "waiting"), {"running": value}) is None


def test_a_row_of_fewer_names_is_shorter() -> None:
    assert unpack(pack(Row((1.0,), (2.0,))), folded=True) == ((1.0,), (2.0,))
    assert unpack(b"", folded=True) == ((), ())


def test_folding_keeps_mean_and_worst() -> None:
    rows = [
        Row((0.2, 8e9), (0.2, 8e9)),
        Row((0.4, 2e9), (0.9, 1e9)),
        Row((math.nan, 5e9), (math.nan, 5e9)),
    ]
    means, peaks = fold(NAMES, rows)
    assert list(means) == pytest.approx([0.3, 5e9])
    assert peaks == (0.9, 1e9)


def test_folding_the_unknown() -> None:
    means, peaks = fold(NAMES, [Row((math.nan,), (math.nan,)), Row((), ())])
    assert same(means, (math.nan, math.nan))
    assert same(peaks, (math.nan, math.nan))


@given(st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=30))
def test_a_mean_is_between_and_a_peak_is_there(values: list[float]) -> None:
    means, peaks = fold(("running",), [Row((value,), (value,)) for value in values])
    assert min(values) - 1e-6 <= means[0] <= max(values) + 1e-6
    assert peaks[0] == max(values)


def test_names_of_a_source() -> None:
    assert MACHINE.names == MACHINE_SERIES
    assert Source("a", "m").names == ENGINE_SERIES


# ── the plan ────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_due() -> None:
    assert due(Tier.RAW, None, NOW, 0, LIMITS) is None
    assert due(Tier.RAW, NOW - 6 * HOUR, NOW, 0, LIMITS) is None


def test_whole_minutes_that_are_too_old() -> None:
    plan = due(Tier.RAW, NOW - 6 * HOUR - 125, NOW, 0, LIMITS)
    assert plan == Fold(Tier.RAW, NOW - 6 * HOUR - 180, NOW - 6 * HOUR)


def test_whole_quarters_that_are_too_old() -> None:
    plan = due(Tier.MINUTES, NOW - 7 * DAY - 1000, NOW + 60, 0, LIMITS)
    assert plan == Fold(Tier.MINUTES, NOW - 7 * DAY - 1800, NOW - 7 * DAY)


def test_the_oldest_is_forgotten() -> None:
    plan = due(Tier.QUARTERS, NOW - 91 * DAY, NOW, 0, LIMITS)
    assert plan is not None
    assert plan.tier.into is None
    assert plan.until <= NOW - 90 * DAY


def test_a_little_at_a_time() -> None:
    """Whatever the clock says now: a jump by years must not take all in one go."""
    for tier in Tier:
        plan = due(tier, NOW - 4000 * DAY, NOW, 0, LIMITS)
        assert plan is not None
        assert plan.until - plan.since <= 2 * HOUR


def test_too_much_is_kept_for_a_shorter_time() -> None:
    at = NOW - 4 * HOUR
    assert due(Tier.RAW, at, NOW, LIMITS.most_bytes, LIMITS) is None
    assert due(Tier.RAW, at, NOW, LIMITS.most_bytes + 1, LIMITS) is not None
    assert due(Tier.RAW, NOW - 600, NOW, 10 * LIMITS.most_bytes, LIMITS) is None


@given(
    tier=st.sampled_from(Tier),
    age=st.floats(0, 200 * DAY),
    used=st.integers(0, 10**9),
)
def test_plans_are_of_whole_steps_and_of_what_is_old(tier: Tier, age: float, used: int) -> None:
    plan = due(tier, NOW - age, NOW, used, LIMITS)
    if plan is None:
        return
    step = (tier.into or tier).step_s
    assert plan.since % step == 0
    assert plan.until % step == 0
    assert plan.since <= NOW - age < plan.since + step
    assert plan.until <= NOW
    if used <= LIMITS.most_bytes:
        assert plan.until <= NOW - LIMITS.kept_s[tier]


def test_tiers_follow_each_other() -> None:
    assert all(coarse.step_s % fine.step_s == 0 for fine, coarse in pairwise(Tier))
    assert [tier.into for tier in Tier] == [Tier.MINUTES, Tier.QUARTERS, None]
