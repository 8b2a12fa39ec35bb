"""What figures are called, and which way is better."""

import pytest

from sparkwell.core.figure_names import FIGURES, wants_less


@pytest.mark.parametrize(
    ("name", "less"),
    [
        ("output_tokens_per_s", False), ("goodput", False), ("good_share", False),
        ("total_tokens_per_s", False), ("ttft_p50_s", True), ("tpot_p99_s", True),
        ("itl_p99_s", True), ("e2e_p95_s", True),
    ],
)  # fmt: skip
def test_people_want_shorter_waits_and_more_of_the_rest(name: str, less: bool) -> None:
    assert wants_less(name) is less


def test_no_two_figures_have_one_name() -> None:
    assert len(set(FIGURES.values())) == len(FIGURES)
