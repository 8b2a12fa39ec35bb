"""The tables of a run."""

from typing import Any

import pytest
from tests.unit.bench.test_report import whole

from sparkwell.bench.tables import beside_table, measured_table, plain, seconds, title


def run(**changes: Any) -> dict[str, Any]:
    return {**whole(), **changes}


def test_a_row_for_each_case_under_one_head() -> None:
    head, *rows = measured_table(run())
    assert [row[0] for row in rows] == ["1 at once", "2/s"]
    assert {len(row) for row in rows} == {len(head)}
    assert rows[0][head.index("TTFT P50")] == "300 ms"
    assert rows[0][head.index("WITHIN THE SLO")] == "100%, 0.50/s"


def test_only_what_is_expected_of_is_beside_it() -> None:
    head, *rows = beside_table(run())
    assert [row[0] for row in rows] == ["1 at once"]
    assert rows[0][head.index("PLANNED")] == "50.0"
    assert rows[0][head.index("OFF BY")] == "+809%"
    assert rows[0][head.index("OF IT")] == "9%"
    assert rows[0][head.index("THE GUIDE (SPARK)")] == "9 to 10"


def test_what_a_guide_claims_has_its_thousands_apart() -> None:
    made = run()
    made["cases"][0]["guide"] = {**made["cases"][0]["guide"], "low": 1200.0, "high": 12500.0}
    head, first = beside_table(made)
    assert first[head.index("THE GUIDE (SPARK)")] == "1,200 to 12,500"


def test_a_case_of_which_nothing_came_has_no_figures() -> None:
    found = run()
    found["cases"][0]["measured"] = {}
    assert set(measured_table(found)[1][2:]) == {"-"}
    assert beside_table(found)[1][1] == "-"


def test_the_title_says_what_is_known() -> None:
    said = title(run(versions={"engine": None, "engine_version": None}, machine={"name": None}))
    assert said.startswith("m, suite quick, an engine, unknown machine, ")


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0041, "4.1 ms"), (0.212, "212 ms"), (16.9, "16.90 s"), (1000, "1,000.00 s")],
)
def test_times_as_people_say_them(value: float, said: str) -> None:
    assert seconds(value) == said


@pytest.mark.parametrize(("value", "said"), [(None, "-"), (9.96, "10.0"), (1234.5, "1,234")])
def test_rates(value: float | None, said: str) -> None:
    assert plain(value) == said
