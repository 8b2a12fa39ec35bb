"""Figures of one repeat."""

import pytest
from tests.unit.bench.samples import sample

from sparkwell.bench.figures import Figures, Slo, by_name, figures, percentile, spread
from sparkwell.bench.sample import Sample


def found(*samples: Sample, seconds: float = 10.0, slo: Slo | None = None) -> Figures:
    return figures(samples, began_s=100.0, ended_s=100.0 + seconds, slo=slo)


def test_rates_are_over_the_whole_time() -> None:
    got = found(sample(tokens=11), sample(tokens=9))
    assert (got.output_tokens, got.prompt_tokens) == (20, 10)
    assert (got.output_tokens_per_s, got.total_tokens_per_s) == (2.0, 3.0)
    assert got.requests_per_s == 0.2


def test_what_failed_counts_as_failed_and_in_no_latency() -> None:
    got = found(sample(0.2), sample(9.0, error="cut"))
    assert (got.requests, got.failed, got.requests_per_s) == (2, 1, 0.1)
    assert got.ttft is not None
    assert got.ttft.most == pytest.approx(0.2)


def test_by_name_only_what_is_known_is_there() -> None:
    whole = by_name(found(sample(0.2), slo=Slo(ttft_s=1.0)))
    assert whole["ttft_p99_s"] == pytest.approx(0.2)
    assert whole["good_share"] == 1.0
    none = by_name(found(sample(error="cut")))
    assert none["output_tokens_per_s"] == 0.0
    assert not {"ttft_p99_s", "e2e_p95_s", "goodput", "good_share"} & set(none)


def test_all_failed_leaves_latencies_unknown() -> None:
    got = found(sample(error="cut"))
    assert (got.ttft, got.tpot, got.itl, got.e2e) == (None, None, None, None)


def test_times_between_tokens_and_of_all_of_them() -> None:
    got = found(sample(0.5, 0.1, 11))
    assert got.tpot is not None
    assert got.e2e is not None
    assert got.tpot.mean == pytest.approx(0.1)
    assert got.e2e.mean == pytest.approx(1.5)


def test_goodput_counts_who_kept_all_of_it() -> None:
    slo = Slo(ttft_s=0.3, tpot_s=0.05)
    got = found(sample(0.2, 0.02), sample(0.4, 0.02), sample(0.2, 0.06), sample(error="x"), slo=slo)
    assert (got.goodput, got.good_share) == (0.1, 0.25)


def test_an_answer_of_one_token_keeps_any_time_between_tokens() -> None:
    assert Slo(tpot_s=0.001).kept_by(sample(tokens=1))


def test_no_slo_no_goodput() -> None:
    assert (found(sample()).goodput, found(sample()).good_share) == (None, None)


@pytest.mark.parametrize(("percent", "value"), [(0, 1.0), (50, 2.5), (90, 3.7), (100, 4.0)])
def test_percentiles_as_numpy_has_them(percent: float, value: float) -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], percent) == pytest.approx(value)


def test_spread_of_what_is_known() -> None:
    got = spread([None, 3.0, 1.0])
    assert got is not None
    assert (got.mean, got.p50, got.most) == (2.0, 2.0, 3.0)
    assert spread([None]) is None
