"""Medians, bounds and slopes of benchmarks/gateway, on values worked out by hand."""

import random
from typing import Any

import pytest
from tests.unit.benchmarks.gateway import figures

Round = dict[str, Any]


def a_round(request_us: float, p50_us: float = 0.0, event_us: float = 1.0) -> Round:
    quantiles = {"p50": p50_us, "p99": 2 * p50_us}
    return {
        "whole": {"latency_us": quantiles, "cpu_us_request": request_us},
        "busy": {"cpu_us_request": request_us, "a_second": 1e6 / request_us},
        "events": {"cpu_us_event": event_us, "events_a_read": 1.0},
        "first": {"first_us": quantiles},
        "memory_mb": 10.0,
        "idle_cpu_share": 0.0,
    }


def a_stream(**changed: float) -> Round:
    clean = dict.fromkeys(("lost", "reordered", "broken", "bad", "unfinished"), 0)
    return {**clean, "most_memory_mb": 80.0, "delay_us": {"p99": 20_000.0}, **changed}


def verdicts(document: Round) -> dict[str, bool | None]:
    return {each.words: each.kept for each in figures.bounds(document)}


def test_middle_and_least_are_over_the_rounds() -> None:
    found = figures.summary({"Sparkwell": [a_round(50), a_round(90), a_round(40)]})
    assert found["Sparkwell"]["request_us"] == figures.Middle(50, 40)


def test_a_row_that_one_round_lacks_is_unknown() -> None:
    rounds = [a_round(50), {**a_round(60), "whole": None}]
    assert figures.summary({"nginx": rounds})["nginx"]["request_us"] is None


def test_added_latency_is_against_the_same_rounds_direct() -> None:
    mine = [a_round(1, 100), a_round(1, 300), a_round(1, 140)]
    plain = [a_round(1, 10), a_round(1, 190), a_round(1, 20)]
    assert figures.added_us({"nginx": mine, "direct": plain}, "nginx", "p50_us") == 110
    assert figures.added_us({"nginx": mine}, "nginx", "p50_us") is None


def test_bounds_are_shares_of_the_peers_medians() -> None:
    rounds = {
        "direct": [a_round(1, 10)],
        "Sparkwell": [a_round(100, 170, event_us=12)],
        "LiteLLM": [a_round(15_000, 20_000, event_us=200)],
        "vllm-router": [a_round(99, 120, event_us=13)],
    }
    found = verdicts({"rounds": rounds, "many": {"Sparkwell": a_stream()}})
    assert found["Sparkwell: added to direct, whole answer, p50"] is False  # 160 of 150 µs
    assert found["Sparkwell: added to direct, whole answer, p99"] is True
    assert found["Sparkwell: a request, 1 connection, at most 1/150 of LiteLLM's"] is True
    assert found["Sparkwell: a request, 1 connection, at most vllm-router's"] is False
    assert found["Sparkwell: a streamed event, at most vllm-router's"] is True
    assert found["Sparkwell: a streamed event, at most 1/20 of LiteLLM's"] is False  # 12 of 10
    assert found["Sparkwell: many streams, memory"] is True


def test_a_bound_without_its_peer_is_neither_kept_nor_missed() -> None:
    rounds = {"direct": [a_round(1, 10)], "Sparkwell": [a_round(100, 20)]}
    found = verdicts({"rounds": rounds, "many": {}})
    assert found["Sparkwell: a streamed event, at most vllm-router's"] is None


@pytest.mark.parametrize("wrong", ["lost", "reordered", "broken", "bad", "unfinished"])
def test_one_event_lost_or_out_of_order_is_too_many(wrong: str) -> None:
    document = {"rounds": {}, "many": {"Sparkwell": a_stream(**{wrong: 1})}}
    assert verdicts(document)["Sparkwell: many streams, events lost or out of order"] is False


def test_how_busy_others_were_is_the_median_of_all_looks() -> None:
    rounds = {"nginx": [{"others_cores": 0.0}, {"others_cores": 0.4}], "direct": [{}]}
    assert figures.others_cores({"rounds": rounds, "many": {"nginx": {"others_cores": 0.1}}}) == 0.1
    assert figures.others_cores({"rounds": {"direct": [{}]}}) is None


def test_a_slope_is_an_hours_growth() -> None:
    grows = figures.slope([(second, 50 + 3 * second / 3600) for second in range(0, 1800, 5)])
    assert grows.an_hour == pytest.approx(3)
    assert grows.low == pytest.approx(grows.high)


def test_noise_without_growth_has_an_interval_around_zero() -> None:
    """At 95 %: of a hundred seeds some five intervals leave zero out."""
    outside = 0
    for seed in range(100):
        chance = random.Random(seed)
        grows = figures.slope([(second, chance.gauss(60, 1)) for second in range(0, 1800, 5)])
        outside += not grows.low <= 0 <= grows.high
    assert 1 <= outside <= 12


def test_what_rises_only_at_the_beginning_is_no_growth() -> None:
    samples = [(float(second), min(60.0, 40.0 + second)) for second in range(1000)]
    assert figures.slope(samples).an_hour == pytest.approx(0)


def test_a_slope_wants_samples() -> None:
    with pytest.raises(ValueError, match="too few"):
        figures.slope([(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)])


@pytest.mark.parametrize(("freedom", "t"), [(4, 2.776), (10, 2.228), (28, 2.048), (1000, 1.962)])
def test_students_t(freedom: int, t: float) -> None:
    assert figures.t_quantile(0.975, freedom) == pytest.approx(t, rel=0.005)
