"""Readings drawn together: what counts for what, and what counts for nothing."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkwell.checks.serving_window import LONGEST_GAP_S, Moment, window_of

NAMES = [
    "running",
    "waiting",
    "kv_used",
    "gpu_used",
    "preemptions_per_s",
    "prefix_hit",
    "ttft_p95_s",
    "requests_per_s",
    "prompt_tokens_per_s",
    "output_tokens_per_s",
]


def moments(*rows: Mapping[str, float | None], every_s: float = 5.0) -> list[Moment]:
    return [Moment(1000.0 + every_s * at, row) for at, row in enumerate(rows)]


def test_nothing_is_known_of_nothing() -> None:
    empty = window_of([])
    assert (empty.samples, empty.seconds, empty.busy, empty.running) == (0, 0.0, None, None)
    failed = window_of(moments({}, {"kv_used": 1.0}))
    assert (failed.samples, failed.kv_used_mean) == (0, None)


def test_gauges_are_means_over_what_was_busy() -> None:
    idle = {"running": 0.0, "kv_used": 0.0, "gpu_used": 0.0, "waiting": 0.0}
    work = {"running": 4.0, "kv_used": 0.8, "gpu_used": 0.6, "waiting": 2.0}
    more = {"running": 8.0, "kv_used": 1.0, "gpu_used": None, "waiting": 4.0}
    found = window_of(moments(idle, work, more, idle))
    assert (found.samples, found.seconds, found.busy) == (4, 15.0, 0.5)
    assert (found.running, found.running_max, found.waiting) == (6.0, 8.0, 3.0)
    assert (found.kv_used_mean, found.kv_used_max) == (0.9, 1.0)
    assert found.gpu_used == 0.6


def test_counts_are_rates_over_their_intervals() -> None:
    row = {"running": 1.0, "requests_per_s": 0.2, "preemptions_per_s": 0.0,
           "prompt_tokens_per_s": 100.0}  # fmt: skip
    found = window_of(moments(row, row, row, row, row, row))
    assert (found.requests, found.preemptions) == (5.0, 0.0)
    assert found.prompt_tokens == 500.0


def test_without_an_ended_request_no_prompt_length_is_known() -> None:
    row = {"running": 1.0, "requests_per_s": 0.0, "prompt_tokens_per_s": 100.0}
    assert window_of(moments(row, row)).prompt_tokens is None


def test_hits_count_by_the_tokens_that_were_asked_for() -> None:
    start = {"running": 1.0}
    many = {"running": 1.0, "prefix_hit": 0.0, "prompt_tokens_per_s": 900.0}
    few = {"running": 1.0, "prefix_hit": 1.0, "prompt_tokens_per_s": 100.0}
    assert window_of(moments(start, many, few)).prefix_hit == pytest.approx(0.1)
    none = {"running": 1.0, "prefix_hit": 1.0, "prompt_tokens_per_s": 0.0}
    assert window_of(moments(start, none)).prefix_hit is None


def test_the_newest_percentile_is_taken() -> None:
    found = window_of(
        moments(
            {"running": 1.0, "ttft_p95_s": 9.0},
            {"running": 1.0, "ttft_p95_s": 0.5},
            {"running": 0.0, "ttft_p95_s": None},
        )
    )
    assert found.ttft_p95_s == 0.5


def speed(rate: float, running: float = 1.0) -> dict[str, float | None]:
    return {"running": running, "output_tokens_per_s": rate}


def test_a_lone_request_is_believed_after_some_moments() -> None:
    assert window_of(moments(speed(6.0), speed(6.0))).single_tokens_per_s is None
    assert window_of(moments(speed(2.0), speed(3.0), speed(6.0))).single_tokens_per_s == 6.0
    broken = moments(speed(6.0), speed(6.0), speed(50.0, 8.0), speed(6.0), speed(6.0))
    assert window_of(broken).single_tokens_per_s is None


def test_the_best_of_a_lone_requests_speeds_is_taken() -> None:
    rows = [speed(each) for each in (6.0, 6.0, 5.9, 6.1, 2.0, 0.0)]
    assert window_of(moments(*rows)).single_tokens_per_s == 6.1


def test_all_together_is_the_mean_of_whole_busy_intervals() -> None:
    rows = [speed(0.0, 0.0), speed(40.0, 8.0), speed(100.0, 8.0), speed(90.0, 8.0), speed(5.0, 0.0)]
    assert window_of(moments(*rows)).output_tokens_per_s == 95.0


def test_nothing_is_counted_over_a_gap() -> None:
    row = {"running": 1.0, "requests_per_s": 1.0, "output_tokens_per_s": 6.0}
    found = window_of(moments(row, row, row, row, every_s=LONGEST_GAP_S + 1))
    assert (found.seconds, found.requests, found.single_tokens_per_s) == (0.0, None, None)
    back = [Moment(50.0, row), Moment(10.0, row)]
    assert window_of(back).requests is None


FIGURES = st.dictionaries(st.sampled_from(NAMES), st.none() | st.floats(0, 1e6))


@settings(deadline=None)
@given(st.lists(st.builds(Moment, st.floats(0, 1e6), FIGURES), max_size=30))
def test_whatever_was_read_means_lie_within_it(read: list[Moment]) -> None:
    found = window_of(read)
    assert found.seconds >= 0
    assert found.busy is None or 0 <= found.busy <= 1
    for mean, most in ((found.running, found.running_max), (found.kv_used_mean, found.kv_used_max)):
        assert (mean is None) is (most is None)
        assert mean is None or most is None or mean <= most * (1 + 1e-9)
