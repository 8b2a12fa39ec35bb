"""p-values against values of textbooks, and Holm's allowance by hand."""

import pytest

from sparkwell.bench.intervals import t95
from sparkwell.bench.significance import holm, p_value


@pytest.mark.parametrize("freedom", range(1, 31))
def test_a_95_percent_quantile_leaves_5_percent(freedom: int) -> None:
    assert p_value(t95(freedom), freedom) == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize(
    ("t", "freedom", "p"),
    [(0.0, 3, 1.0), (31.599, 2, 0.001), (-31.599, 2, 0.001), (8.610, 4, 0.001), (12.924, 3, 0.001),
     (4.303, 2.9, 0.05), (12.706, 0.4, 0.05)],
)  # fmt: skip
def test_tails_and_fractions(t: float, freedom: float, p: float) -> None:
    assert p_value(t, freedom) == pytest.approx(p, abs=2e-5)


def test_holm_multiplies_the_smallest_by_their_number() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.5]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
