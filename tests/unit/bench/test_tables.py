"""The tables of a run."""

from typing import Any

import pytest
from tests.unit.bench.test_report import whole

from sparkwell.bench.expected_tables import beside_table, first_table, tables
from sparkwell.bench.tables import (
    answers_table,
    measured_table,
    plain,
    seconds,
    time_text,
    times_table,
    title,
)
from sparkwell.cli.table import NARROW, table


def run(**changes: Any) -> dict[str, Any]:
    return {**whole(), **changes}


def test_a_row_for_each_case_under_one_head() -> None:
    head, *rows = measured_table(run())
    assert [row[0] for row in rows] == ["1 at once", "2/s"]
    assert {len(row) for row in rows} == {len(head)}
    assert rows[0][head.index("WITHIN THE SLO")] == "100%, 0.50/s"


def test_times_have_half_of_their_intervals() -> None:
    head, one, rate = times_table(run())
    assert head == ["CASE", "TTFT P50", "P99", "TPOT P50", "P99"]
    assert one[1:4] == ["300 ±1,271 ms", "300 ±1,271 ms", "20.0 ±0.0 ms"]
    assert rate[1] == "200 ms", "one repeat has no interval"


def test_whole_answers_gaps_and_all_tokens() -> None:
    head, one, _ = answers_table(run())
    assert head == ["CASE", "ANSWER P50", "P99", "ITL P50", "P99", "ALL TOKENS/S"]
    assert one[1:] == [
        "500 ±1,271 ms",
        "500 ±1,271 ms",
        "20.0 ±0.0 ms",
        "20.0 ±0.0 ms",
        "8.00 ±0.00",
    ]


@pytest.mark.parametrize(
    ("mean", "low", "said"),
    [(0.0041, 0.004, "4.1 ±0.1 ms"), (0.212, 0.2, "212 ±12 ms"), (16.9, 16.0, "16.90 ±0.90 s")],
)
def test_both_are_in_one_unit(mean: float, low: float, said: str) -> None:
    assert time_text({"mean": mean, "low": low}) == said


def test_first_tokens_stand_beside_plan_and_guide() -> None:
    made = run()
    first = made["cases"][0]
    first["guide_ttft"] = {"claim": "g.ttft", "says": "…", "low": 0.1, "high": 0.3}
    head, row = first_table(made)
    assert head == ["CASE", "MEASURED", "PLANNED", "OFF BY", "THE GUIDE (SPARK)"]
    assert row == ["1 at once", "300 ±1,271 ms", "100 ms", "-67%", "100 ms to 300 ms"]


def test_runs_of_earlier_versions_have_no_such_claims() -> None:
    made = run()
    for case in made["cases"]:
        del case["guide_ttft"], case["guide_saved"]
    assert first_table(made)[1][-1] == "-"


def test_claims_that_say_otherwise_are_told_too() -> None:
    made = run()
    others = [{"low": 20.0, "high": 20.0}, {"low": 6.0, "high": 7.0}]
    made["cases"][0]["guide"] = {**made["cases"][0]["guide"], "low": 3, "high": 4, "others": others}
    assert beside_table(made)[1][-1] == "3 to 4; 20; 6 to 7"


def test_tables_of_usual_figures_fit_into_a_terminal() -> None:
    made = run()
    first = made["cases"][0]
    first["name"] = "256 at once"
    for name, interval in first["measured"].items():
        usual = {"e2e": 12.345, "ttft": 12.345, "output": 12_345.6, "total": 12_345.6}
        usual |= {"tpot": 0.3456, "itl": 0.3456, "requests": 123.4, "goodput": 123.4}
        mean = usual.get(name.split("_")[0], 1.0)
        interval |= {"mean": mean, "low": 0.9 * mean}
    for _, (head, *rows) in tables(made):
        assert max(map(len, table(head, rows).splitlines())) <= NARROW


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
