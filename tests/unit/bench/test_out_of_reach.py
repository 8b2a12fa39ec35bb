"""What came nearest to an SLO that nobody kept."""

import pytest
from tests.unit.bench.samples import sample
from tests.unit.bench.test_report import ABOUT, CASES, beside

from sparkwell.bench.figures import Slo, figures
from sparkwell.bench.notes import doubts
from sparkwell.bench.out_of_reach import reach_notes
from sparkwell.bench.report import document
from sparkwell.bench.results import Measured, Repeat
from sparkwell.bench.sample import Sample

WAITS = [sample(0.0129), sample(0.015), sample(0.02)]


def test_it_says_what_came_nearest() -> None:
    [said] = reach_notes(WAITS, Slo(ttft_s=0.001))
    assert said == (
        "The SLO is out of reach: 0 of 3 requests kept TTFT ≤ 1.0 ms; the fastest first token "
        "came after 12.9 ms, half of them within 15.0 ms."
    )


def test_each_part_that_is_asked_for_is_told() -> None:
    [said] = reach_notes(WAITS, Slo(tpot_s=0.01, e2e_s=0.1))
    assert "kept TPOT ≤ 10.0 ms, E2E ≤ 100 ms; " in said
    assert "the fastest answer took 20.0 ms for a token, half of them 20.0 ms or less" in said
    assert "the fastest whole answer took 213 ms, half of them 215 ms or less." in said
    assert "first token" not in said


@pytest.mark.parametrize(("kept", "told"), [(4, True), (5, False), (100, False)])
def test_it_is_told_where_less_than_one_in_twenty_kept_it(kept: int, told: bool) -> None:
    samples = [sample(0.1)] * kept + [sample(3.0)] * (100 - kept)
    assert bool(list(reach_notes(samples, Slo(ttft_s=1.0)))) is told


@pytest.mark.parametrize(
    ("samples", "slo"), [(WAITS, None), ([sample(error="cut")], Slo(ttft_s=0.001)), ([], Slo())]
)
def test_nothing_is_said_without_an_slo_or_an_answer(
    samples: list[Sample], slo: Slo | None
) -> None:
    assert not list(reach_notes(samples, slo))


def test_it_stands_with_its_case_and_is_no_doubt() -> None:
    """The figures are as good as any: it is what they say."""
    slo = Slo(ttft_s=0.001)
    repeat = Repeat(figures(WAITS, began_s=100.0, ended_s=102.0, slo=slo), WAITS, 100.0)
    [case] = document(ABOUT, CASES[:1], Measured({0: [repeat, repeat]}), beside, slo)["cases"]
    assert "0 of 6 requests kept TTFT" in case["notes"][0]
    assert not doubts(case)
