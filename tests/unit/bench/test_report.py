"""A run as a document, and as rows for a spreadsheet."""

import csv
import json
from typing import Any

import pytest
from tests.unit.bench.samples import sample

from sparkwell.bench.beside import Expected
from sparkwell.bench.claimed import Guide
from sparkwell.bench.figures import Figures, Slo, figures
from sparkwell.bench.notes import notes
from sparkwell.bench.report import About, Beside, document
from sparkwell.bench.results import Measured, Repeat
from sparkwell.bench.rows import csv_text
from sparkwell.bench.suites import Case
from sparkwell.bench.workload import Workload

CASES = (
    Case("1 at once", Workload(5, 11), 2, clients=1),
    Case("2/s", Workload(5, 11), 2, rate=2.0),
)
ABOUT = About("r", 1.0, "m", "quick", "u", "sparkwell bench", "1", {"name": "x"}, {"engine": None})
PLANNED = Expected(1, 50.0, 60.0, 0.1, 0.02, 0.016, "bandwidth")
GUIDE = Guide("g.single", "9 to 10 tokens/s", 9.0, 10.0)


def got(ttft_s: float = 0.2, lag_s: float = 0.0, cpu_s: float = 0.1, failed: int = 0) -> Figures:
    samples = [sample(ttft_s), *[sample(error="cut")] * failed]
    lags = [lag_s] * 100
    return figures(samples, began_s=100.0, ended_s=102.0, slo=Slo(ttft_s=1), lags=lags, cpu_s=cpu_s)


def repeat(ttft_s: float = 0.2) -> Repeat:
    return Repeat(got(ttft_s), [sample(ttft_s)], 99.0)


def beside(case: Case) -> Beside:
    return Beside(PLANNED, GUIDE) if case.clients else Beside()


def whole() -> dict[str, Any]:
    measured = Measured({0: [repeat(0.2), repeat(0.4)], 1: [repeat()]})
    return document(ABOUT, CASES, measured, beside)


def test_it_is_json_with_units_in_its_names() -> None:
    found = json.loads(json.dumps(whole()))
    first = found["cases"][0]
    assert first["measured"]["ttft_p50_s"]["mean"] == pytest.approx(0.3)
    assert first["measured"]["ttft_p50_s"]["repeats"] == 2
    assert first["measured"]["goodput"]["mean"] == 0.5
    assert first["planned"]["limit_tokens_per_s"] == 60.0
    assert first["guide"]["low"] == 9.0
    assert found["cases"][1]["planned"] is None


def test_every_request_stands_in_it() -> None:
    [row] = json.loads(json.dumps(whole()))["cases"][0]["repeats"][1]["requests"]["rows"]
    assert row == [1.0, 0.4, 0.02, 0.6, 5, 11, None]


def test_what_was_not_measured_is_left_out() -> None:
    found = document(ABOUT, CASES, Measured({0: [repeat()]}, "2/s: the engine died"), beside)
    assert [case["name"] for case in found["cases"]] == ["1 at once"]
    assert found["broken"] == "2/s: the engine died"


def test_rows_have_all_cases_under_one_head() -> None:
    rows = list(csv.DictReader(csv_text(whole()).splitlines()))
    assert [row["case"] for row in rows] == ["1 at once", "2/s"]
    assert float(rows[0]["ttft_p50_s"]) == pytest.approx(0.3)
    assert float(rows[0]["ttft_p50_s_low"]) < 0.3
    assert (rows[0]["planned_tokens_per_s"], rows[1]["planned_tokens_per_s"]) == ("50.0", "")


def test_no_end_of_an_interval_is_below_zero_in_a_row() -> None:
    """Student's t knows nothing of times: of two that differ much it goes below."""
    document_ = whole()
    low = document_["cases"][0]["measured"]["ttft_p50_s"]["low"]
    assert low < 0
    [row, _] = csv.DictReader(csv_text(document_).splitlines())
    assert float(row["ttft_p50_s_low"]) == 0.0
    assert float(row["ttft_p50_s_high"]) == pytest.approx(0.3 + (0.3 - low))
    assert all(float(row[name]) >= 0 for name in row if name.endswith("_low") and row[name])


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        (got(), None),
        (got(lag_s=0.05), "woke late"),
        (got(cpu_s=1.9), "most of a core"),
    ],
)
def test_doubts_are_told(figures: Figures, words: str | None) -> None:
    said = notes(CASES[0], [Repeat(figures, [], 0.0)])
    assert (words in said[0]) if words else not said


def test_repeats_that_differ_widely_are_told() -> None:
    slow = Repeat(figures([sample()], began_s=100.0, ended_s=120.0), [], 0.0)
    assert "differ so much" in notes(CASES[0], [repeat(), slow])[0]
    assert not notes(CASES[0], [slow, slow])


def test_what_was_shortened_is_told() -> None:
    case = Case("long", Workload(5, 11), 2, clients=1, shortened_to=2048)
    assert "2,048 tokens" in notes(case, [repeat()])[0]
