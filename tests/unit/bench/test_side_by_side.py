"""Runs beside each other: the best only where it is better than each other beyond chance."""

from collections.abc import Sequence
from typing import Any

import pytest

from sparkwell.bench.side_by_side import side_by_side

RATE = "output_tokens_per_s"


def repeat(rate: float) -> dict[str, Any]:
    """Ten requests of 100 tokens, as many a second as make that rate."""
    columns = ["output", "ttft_s", "tpot_s", "e2e_s", "error"]
    rows = [[100, 10 / rate, 1 / rate, 100 / rate, None]] * 10
    requests = {"columns": columns, "rows": rows}
    return {"broken": None, "seconds": 1000 / rate, "requests": requests}


def run(
    name: str, rates: Sequence[float], *, case: str = "8 at once", **other: Any
) -> dict[str, Any]:
    workload = {"prompt_tokens": 32, "output_tokens": 100}
    shape = {"name": case, "workload": workload, "clients": 8, "rate": None, "notes": [], **other}
    return {"run": name, "cases": [{**shape, "repeats": [repeat(each) for each in rates]}]}


SLOW, FAST = run("slow", [100, 101, 102]), run("fast", [200, 201, 202])


def test_more_tokens_and_shorter_times_are_the_best() -> None:
    rate, first = side_by_side([SLOW, FAST], [RATE, "ttft_p50_s"])
    assert (rate.case, rate.figure, rate.best) == ("8 at once", RATE, 1)
    assert [round(value or 0) for value in rate.values] == [101, 201]
    assert first.best == 1
    assert (first.values[0] or 0) > (first.values[1] or 0)


def test_nobody_is_the_best_alone() -> None:
    [row] = side_by_side([FAST], [RATE])
    assert row.best is None


def test_nobody_is_the_best_where_two_are_alike() -> None:
    other = run("other", [201, 200, 203])
    [row] = side_by_side([SLOW, FAST, other], [RATE])
    assert row.best is None


def test_one_that_was_measured_once_is_not_the_best() -> None:
    [row] = side_by_side([run("slow", [100]), run("fast", [200])], [RATE])
    assert row.best is None
    assert list(row.values) == pytest.approx([100, 200])


def test_a_case_that_a_run_has_not_is_unknown_there_and_has_no_best() -> None:
    [row] = side_by_side([SLOW, run("fast", [200, 201, 202], case="another")], [RATE])
    assert row.values[1] is None
    assert row.best is None


def test_figures_in_doubt_are_held_against_nobody() -> None:
    doubtful = run("fast", [200, 201, 202], notes=["The client itself woke late: in doubt."])
    [row] = side_by_side([SLOW, doubtful], [RATE])
    assert row.best is None
