"""The samples of one engine: what an interval is, and when all begins anew."""

import math

import pytest

from sparkwell.engines.samples import EngineSample, Histogram
from sparkwell.monitor.track import WINDOW_S, Track


def sample(tokens: float, ended: float = 0.0) -> EngineSample:
    first = Histogram((1.0, math.inf), (ended, ended), ended * 0.5)
    return EngineSample(running=1, generation_tokens=tokens, ttft=first)


def track(*samples: tuple[float, float]) -> Track:
    made = Track(gap_s=20)
    for at, tokens in samples:
        made.add(at, sample(tokens))
    return made


def test_the_last_interval() -> None:
    assert track((0, 0), (5, 100), (10, 300)).reading().output_tokens_per_s == 40


def test_the_first_sample_has_no_interval() -> None:
    first = track((0, 100))
    assert first.reading().output_tokens_per_s is None
    assert first.reading().running == 1
    assert first.generated() is None


def test_what_is_stored_is_of_all_since_the_last_storing() -> None:
    watched = track((0, 0))
    watched.keep()
    for at in range(1, 6):
        watched.add(at, sample(100 if at == 3 else 100 * (at > 3)))
    assert watched.reading().output_tokens_per_s == 0
    assert watched.reading(stored=True).output_tokens_per_s == 20
    assert watched.generated() is False
    assert watched.generated(stored=True) is True


def test_no_rate_over_a_long_gap() -> None:
    """The host was suspended, or the engine did not answer."""
    slept = track((0, 0), (5, 100), (500, 200))
    assert slept.reading().output_tokens_per_s is None
    slept.add(505, sample(300))
    assert slept.reading().output_tokens_per_s == 20


def test_a_short_gap_is_bridged() -> None:
    assert track((0, 0), (15, 150)).reading().output_tokens_per_s == 10


def test_a_restart_begins_anew() -> None:
    anew = track((0, 1000))
    anew.keep()
    anew.add(5, sample(10))
    assert anew.reading(stored=True).output_tokens_per_s is None
    anew.add(10, sample(60))
    assert anew.reading(stored=True).output_tokens_per_s == 10


@pytest.mark.parametrize("at", [5.0, 4.0])
def test_a_clock_that_stands_still_gives_no_rate(at: float) -> None:
    assert track((5, 0), (at, 100)).reading().output_tokens_per_s is None


def test_a_quiet_second_keeps_the_percentiles() -> None:
    made = Track(gap_s=20)
    made.add(0, sample(0))
    made.add(5, sample(10, ended=4))
    for at in range(10, 60, 5):
        made.add(at, sample(10, ended=4))
    assert made.reading().ttft_p50_s == pytest.approx(0.5)
    for at in range(60, 80, 5):
        made.add(at, sample(10, ended=4))
    assert made.reading().ttft_p50_s is None


def test_no_more_than_the_window_is_remembered() -> None:
    made = Track(gap_s=20)
    for at in range(1000):
        made.add(at, sample(at))
    assert len(made.samples) <= WINDOW_S + 1


def test_an_interval_that_is_longer_than_the_window() -> None:
    slow = Track(gap_s=1000)
    slow.add(0, sample(0))
    slow.add(100, sample(100, ended=3))
    assert slow.reading().ttft_p50_s == pytest.approx(0.5)
