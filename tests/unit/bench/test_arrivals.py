"""Poisson arrivals: their rate, their independence, their seed."""

import statistics

from sparkwell.bench.arrivals import poisson


def gaps(found: list[float]) -> list[float]:
    return [b - a for a, b in zip([0.0, *found], found, strict=False)]


def test_they_come_at_their_rate_in_order() -> None:
    found = poisson(4.0, 20_000, "s")
    assert found == sorted(found)
    assert abs(20_000 / found[-1] / 4.0 - 1) < 0.03


def test_gaps_vary_as_much_as_their_mean() -> None:
    """The mark of an exponential distribution; at even gaps queues would never form."""
    between = gaps(poisson(4.0, 20_000, "s"))
    assert abs(statistics.stdev(between) / statistics.fmean(between) - 1) < 0.03


def test_a_seed_repeats_them() -> None:
    assert poisson(1.0, 5, "a") == poisson(1.0, 5, "a") != poisson(1.0, 5, "b")
