"""Token buckets: never more than they promise, exact waits, and times as OpenAI writes them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkwell.gateway.keys.limits import MINUTE_S, Bucket, Headers, spoken

LIMITS = st.integers(1, 100_000)
STARTS = st.floats(0.0, 1e7)
GAPS = st.lists(st.floats(0.0, 90.0), max_size=20)


@given(LIMITS, STARTS)
def test_a_full_bucket_has_its_limit_and_then_one_comes_back_at_a_time(
    limit: int, start: float
) -> None:
    bucket = Bucket(limit)
    bucket.take(start, limit)
    assert bucket.left(start) == 0
    wait_s = bucket.wait_s(start)
    assert wait_s == pytest.approx(MINUTE_S / limit, abs=1e-5)
    assert bucket.wait_s(start + wait_s) == 0.0
    assert bucket.left(start + MINUTE_S) == limit


@settings(deadline=None)
@given(st.integers(1, 12), STARTS, GAPS)
def test_no_time_sees_more_than_the_definition_allows(
    limit: int, start: float, gaps: list[float]
) -> None:
    bucket, now, taken = Bucket(limit), start, []
    for gap in gaps:
        now += gap
        for _ in range(limit + 1):
            if bucket.wait_s(now) == 0.0:
                bucket.take(now)
                taken.append(now)
    for first, at in enumerate(taken):
        for last in range(first, len(taken)):
            most = limit + limit * (taken[last] - at) / MINUTE_S
            assert last - first + 1 <= most + 1e-3


@given(st.integers(1, 10_000), STARTS, st.integers(1, 100_000), st.floats(0.001, 300.0))
def test_the_wait_is_exact(limit: int, start: float, count: int, early_s: float) -> None:
    bucket = Bucket(limit)
    bucket.take(start, count)
    wait_s = bucket.wait_s(start)
    if wait_s:
        assert bucket.wait_s(start + wait_s) == 0.0
        assert bucket.left(start + wait_s) >= 1
    if wait_s > early_s:
        assert bucket.wait_s(start + wait_s - early_s) > 0.0
        assert bucket.left(start + wait_s - early_s) == 0


def test_what_is_owed_comes_back_first() -> None:
    bucket = Bucket(60)
    bucket.take(0.0, 180)
    assert bucket.left(0.0) == 0
    assert bucket.wait_s(0.0) == pytest.approx(121.0)
    assert bucket.full_in_s(0.0) == pytest.approx(180.0)
    assert bucket.left(130.0) == 10


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.006, "6ms"),
        (0.0121, "13ms"),
        (0.9999, "1s"),
        (1.0, "1s"),
        (8.64, "8.64s"),
        (59.9999, "1m0s"),
        (72.5, "1m12.5s"),
        (360.0, "6m0s"),
        (3600.0, "1h0m0s"),
        (86_399.0, "23h59m59s"),
    ],
)
def test_times_are_written_as_openai_does(seconds: float, text: str) -> None:
    assert spoken(seconds) == text


def test_headers_as_in_openais_documentation() -> None:
    bucket, found = Bucket(60), dict[str, str]()
    bucket.take(5.0)
    Headers("requests", bucket).put(found, 5.0)
    assert found == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
    }
