"""Figures as people read them."""

import pytest

from sparkwell.core.units import figure


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (12360.4, "12,360"), (1_234_567.0, "1,234,567"), (101.581, "102"), (48.01, "48.0"),
        (4.077, "4.08"), (7.953, "7.95"), (0.125, "0.125"), (0.01234, "0.0123"), (0.0, "0.00"),
        (-0.5, "-0.500"), (8, "8.00"),
    ],
)  # fmt: skip
def test_a_figure_has_three_digits_and_all_before_the_point(value: float, said: str) -> None:
    assert figure(value) == said


@pytest.mark.parametrize(("value", "said"), [(9.996, "10.0"), (99.96, "100"), (999.6, "1,000")])
def test_one_that_is_rounded_up_to_another_digit_has_no_more(value: float, said: str) -> None:
    assert figure(value) == said
