"""What two samples of an engine say; beside a reference, and never negative."""

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkwell.engines.samples import EngineSample, Histogram
from sparkwell.monitor.readings import COUNTERS, Reading, busy, derive, grown
from sparkwell.monitor.speed import Planned
from sparkwell.store.series_names import ENGINE_SERIES

BOUNDS = (0.1, 1.0, math.inf)
BEFORE = EngineSample(
    running=2, waiting=1, kv_used=0.25, prompt_tokens=1000, generation_tokens=500,
    prefix_queries=1000, prefix_hits=400, preemptions=0, requests_done=10,
    ttft=Histogram(BOUNDS, (4, 10, 10), 5.0), itl=Histogram(BOUNDS, (490, 490, 490), 25.0),
    tpot=Histogram(BOUNDS, (10, 10, 10), 0.5),
)  # fmt: skip
AFTER = EngineSample(
    running=4, waiting=0, kv_used=0.5, prompt_tokens=1500, generation_tokens=700,
    prefix_queries=1500, prefix_hits=500, preemptions=5, requests_done=20,
    ttft=Histogram(BOUNDS, (14, 20, 20), 6.0), itl=Histogram(BOUNDS, (690, 690, 690), 40.0),
    tpot=Histogram(BOUNDS, (20, 20, 20), 1.0),
)  # fmt: skip


def test_fields_are_the_series() -> None:
    assert tuple(each.name for each in fields(Reading)) == (*ENGINE_SERIES, "problem")
    assert tuple(Reading().values()) == ENGINE_SERIES


def test_an_interval() -> None:
    plan = Planned(20.0, 40.0, ((2, 40.0), (4, 80.0)), ((4, 160.0),))
    found = derive(BEFORE, AFTER, 5.0, power_w=20.0, planned=plan)
    expected = {
        "output_tokens_per_s": 40.0,
        "prompt_tokens_per_s": 100.0,
        "running": 4,
        "waiting": 0,
        "kv_used": 0.5,
        "prefix_hit": 0.2,
        "preemptions_per_s": 1.0,
        "ttft_p50_s": 0.05,
        "ttft_p95_s": 0.095,
        "itl_p50_s": 0.05,
        "itl_p95_s": 0.095,
        "tpot_p50_s": 0.05,
        "requests_per_s": 2.0,
        "tokens_per_joule": 2.0,
        "plan_share": 40 / 60,  # 15 s of decoding in 5 s: three at once
        "roofline_share": 40 / 120,
    }
    assert found.values() == pytest.approx(expected)
    assert found.problem is None


def test_the_first_sample_has_gauges_alone() -> None:
    assert derive(None, AFTER, 5.0) == Reading(running=4, waiting=0, kv_used=0.5)


@pytest.mark.parametrize("elapsed", [0.0, -3.0, math.nan])
def test_no_time_no_rate(elapsed: float) -> None:
    assert derive(BEFORE, AFTER, elapsed) == Reading(running=4, waiting=0, kv_used=0.5)


@pytest.mark.parametrize("counter", COUNTERS)
def test_an_engine_that_began_anew_begins_anew(counter: str) -> None:
    after = replace(AFTER, **{counter: 0.0})  # type: ignore[arg-type]
    before = replace(BEFORE, preemptions=1)
    assert derive(before, after, 5.0) == Reading(running=4, waiting=0, kv_used=0.5)


def test_what_a_version_does_not_say_is_unknown() -> None:
    found = derive(
        EngineSample(), EngineSample(held_bytes=1e9), 5.0, power_w=9, planned=Planned(1, 1)
    )
    assert found == Reading()


def test_no_prompt_no_prefix_hit() -> None:
    after = replace(AFTER, prefix_queries=1000, prefix_hits=400)
    assert derive(BEFORE, after, 5.0).prefix_hit is None


def test_percentiles_are_of_the_window() -> None:
    quiet = derive(AFTER, AFTER, 1.0, earliest=BEFORE)
    assert quiet.ttft_p50_s == pytest.approx(0.05)
    assert quiet.output_tokens_per_s == 0.0
    assert derive(AFTER, AFTER, 1.0).ttft_p50_s is None


def test_a_window_of_before_the_restart_is_not_used() -> None:
    old = replace(BEFORE, generation_tokens=1e6, ttft=Histogram(BOUNDS, (0, 0, 0), 0.0))
    assert derive(BEFORE, AFTER, 5.0, earliest=old) == derive(BEFORE, AFTER, 5.0)


def test_sequences_at_once_without_times_between_tokens() -> None:
    before, after = replace(BEFORE, itl=None), replace(AFTER, itl=None)
    assert busy(before, after, 5.0) == 3.0
    assert busy(before, replace(after, running=None), 5.0) == 2.0
    assert busy(replace(before, running=0), replace(after, running=0), 5.0) is None


numbers = st.one_of(st.none(), st.floats(), st.integers(0, 1000).map(float))


@st.composite
def histograms(draw: st.DrawFn) -> Histogram | None:
    if draw(st.booleans()):
        return None
    bounds = draw(st.sampled_from([BOUNDS, (0.5, math.inf), (math.inf,), ()]))
    counts = draw(
        st.lists(st.floats() | st.integers(0, 50), min_size=len(bounds), max_size=len(bounds))
    )
    return Histogram(bounds, tuple(map(float, counts)), draw(st.floats()))


def one(name: str) -> st.SearchStrategy[object]:
    return histograms() if name in ("ttft", "itl", "tpot", "e2e", "queue") else numbers


samples = st.builds(
    EngineSample,
    **{each.name: one(each.name) for each in fields(EngineSample)},
)


@settings(max_examples=40, deadline=None)
@given(samples, samples, st.floats(), st.none() | samples, numbers)
def test_whatever_comes_is_a_reading_that_is_not_negative(
    before: EngineSample,
    after: EngineSample,
    elapsed: float,
    earliest: EngineSample | None,
    power: float | None,
) -> None:
    plan = Planned(10.0, 12.0, ((4, 30.0),))
    found = derive(before, after, elapsed, earliest=earliest, power_w=power, planned=plan)
    for name, value in found.values().items():
        assert value is None or value >= 0, name
    for name in ("ttft_p50_s", "ttft_p95_s", "itl_p50_s", "itl_p95_s", "tpot_p50_s"):
        seconds = getattr(found, name)
        assert seconds is None or 0 <= seconds <= 1.0


@given(
    before=st.fixed_dictionaries({name: st.integers(0, 500) for name in COUNTERS}),
    more=st.fixed_dictionaries({name: st.integers(-5, 500) for name in COUNTERS}),
    elapsed=st.floats(0.1, 100),
)
def test_as_the_reference(before: dict[str, int], more: dict[str, int], elapsed: float) -> None:
    after = {name: max(0, before[name] + more[name]) for name in COUNTERS}
    early, late = (EngineSample(**each) for each in (before, after))  # type: ignore[arg-type]
    found = derive(early, late, elapsed)
    anew = any(after[name] < before[name] for name in COUNTERS)
    rates = {
        "generation_tokens": found.output_tokens_per_s,
        "prompt_tokens": found.prompt_tokens_per_s,
        "preemptions": found.preemptions_per_s,
        "requests_done": found.requests_per_s,
    }
    for name, rate in rates.items():
        expected = None if anew else (after[name] - before[name]) / elapsed
        assert rate == (None if expected is None else pytest.approx(expected))
    if anew:
        assert found.prefix_hit is None


def test_a_counter_that_is_none() -> None:
    assert grown(EngineSample(prompt_tokens=math.nan), AFTER, "prompt_tokens") is None
