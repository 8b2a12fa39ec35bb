"""Two runs beside each other."""

from collections.abc import Sequence
from typing import Any

import pytest
from tests.unit.bench.samples import sample

from sparkwell.bench.comparing import compare
from sparkwell.bench.figures import figures
from sparkwell.bench.report import About, Beside, document
from sparkwell.bench.results import Measured, Repeat
from sparkwell.bench.suites import Case
from sparkwell.bench.workload import Workload
from sparkwell.core.errors import UsageError

CASE = Case("one at once", Workload(512, 10), 4, clients=1)


def repeat(ttft_s: float, seconds: float = 1.0, broken: str | None = None) -> Repeat:
    samples = [sample(ttft_s + 0.001 * each) for each in range(4)]
    got = figures(samples, began_s=100.0, ended_s=100.0 + seconds)
    return Repeat(got, samples, 100.0, broken)


def run(name: str, repeats: Sequence[Repeat], case: Case = CASE) -> dict[str, Any]:
    about = About(name, 0.0, "m", "quick", "http://box", "sparkwell bench", "1", {"name": "x"}, {})
    return document(about, [case], Measured({0: list(repeats)}), lambda _case: Beside())


def test_a_difference_is_told_with_its_direction() -> None:
    slow = run("slow", [repeat(0.2), repeat(0.201), repeat(0.199)])
    fast = run("fast", [repeat(0.1, 0.5), repeat(0.101, 0.5), repeat(0.099, 0.5)])
    found = {each.figure: each for each in compare(slow, fast)}
    assert found["ttft_p50_s"].ratio.value == pytest.approx(0.5, rel=0.02)
    assert found["ttft_p50_s"].better is True
    assert found["output_tokens_per_s"].ratio.value == pytest.approx(2.0)
    assert found["output_tokens_per_s"].better is True
    back = {each.figure: each for each in compare(fast, slow)}
    assert back["ttft_p50_s"].better is back["output_tokens_per_s"].better is False


def test_a_run_beside_itself_shows_no_difference() -> None:
    same = run("same", [repeat(0.2), repeat(0.25), repeat(0.3)])
    assert {each.better for each in compare(same, same)} == {None}


def test_a_repeat_that_broke_off_is_left_out() -> None:
    whole = run("whole", [repeat(0.2), repeat(0.2)])
    cut = run("cut", [repeat(0.2), repeat(0.2), repeat(9.0, broken="the engine died")])
    found = {each.figure: each for each in compare(whole, cut)}
    assert found["ttft_p50_s"].ratio.value == pytest.approx(1.0)


@pytest.mark.parametrize(
    "case",
    [
        Case("two at once", CASE.workload, 4, clients=2),
        Case("longer", Workload(513, 10), 4, clients=1),
        Case("1/s", CASE.workload, 4, rate=1.0),
    ],
)
def test_only_what_was_measured_alike_is_compared(case: Case) -> None:
    with pytest.raises(UsageError, match="no case in common"):
        compare(run("a", [repeat(0.2)]), run("b", [repeat(0.2)], case))
