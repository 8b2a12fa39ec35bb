"""Two runs beside each other."""

import math
import random
from collections.abc import Sequence
from typing import Any

import pytest
from tests.unit.bench.samples import sample

from sparkwell.bench.comparing import Compared, compare, noted
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


def three(ttft_s: float, seconds: float = 1.0) -> list[Repeat]:
    """Next to the same, as repeats are; what is quite the same has no spread to be told by."""
    return [repeat(ttft_s + each, seconds + each) for each in (0.0, 0.0001, 0.0002)]


def ratio_of(row: Compared) -> float:
    assert row.ratio is not None
    return row.ratio.value


def test_a_difference_is_told_with_its_direction() -> None:
    slow, fast = run("slow", three(0.2)), run("fast", three(0.1, 0.5))
    found = {each.figure: each for each in compare(slow, fast)}
    assert ratio_of(found["ttft_p50_s"]) == pytest.approx(0.5, rel=0.02)
    assert found["ttft_p50_s"].better is True
    assert ratio_of(found["output_tokens_per_s"]) == pytest.approx(2.0, rel=0.001)
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
    assert ratio_of(found["ttft_p50_s"]) == pytest.approx(1.0)


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


def noisy(chance: random.Random, cases: int, spread: float, times: float = 1.0) -> dict[str, Any]:
    """Three repeats of so many cases; what shakes a repeat shakes all its figures and cases."""
    measured: dict[int, list[Repeat]] = {at: [] for at in range(cases)}
    for _ in range(3):
        shaken = math.exp(chance.gauss(0, spread / 2))
        for at in range(cases):
            own = times * shaken * math.exp(chance.gauss(0, spread))
            samples = [sample(own * chance.uniform(0.2, 0.3), 0.02 * own) for _ in range(4)]
            got = figures(samples, began_s=100.0, ended_s=100.0 + own)
            measured[at].append(Repeat(got, samples, 100.0, None))
    given = [Case(f"{at} at once", CASE.workload, 4, clients=at + 1) for at in range(cases)]
    about = About("r", 0.0, "m", "guide", "http://box", "sparkwell bench", "1", {"name": "x"}, {})
    return document(about, given, Measured(measured), lambda _case: Beside())


@pytest.mark.parametrize("spread", [0.005, 0.02, 0.1])
def test_the_same_against_itself_is_seldom_called_different(spread: float) -> None:
    """Of 28 figures, and 95 % each, three comparisons in ten had a false verdict."""
    chance, false, comparisons = random.Random(7), 0, 200
    for _ in range(comparisons):
        rows = compare(*(noisy(chance, 4, spread) for _ in range(2)))
        assert len(rows) == 28
        false += any(row.better is not None for row in rows)
    assert false / comparisons < 0.05


def test_a_difference_is_still_found_among_28_figures() -> None:
    chance = random.Random(7)
    rows = compare(noisy(chance, 4, 0.005), noisy(chance, 4, 0.005, times=1.3))
    slower = [row.better for row in rows if row.figure in ("tpot_p50_s", "output_tokens_per_s")]
    assert slower == [False] * 8


def test_a_difference_too_small_to_matter_is_none() -> None:
    """Two repeats that happen to agree made "0.997, better" of 3.9 and 3.9 ms."""
    slow, fast = run("slow", three(0.2, 1.01)), run("fast", three(0.2))
    found = {each.figure: each for each in compare(slow, fast)}
    assert found["output_tokens_per_s"].ratio is not None
    assert found["output_tokens_per_s"].ratio.verdict == "more"
    assert found["output_tokens_per_s"].verdict == "too small to matter"
    assert found["output_tokens_per_s"].better is None


@pytest.mark.parametrize("doubtful", [0, 1])
def test_a_case_in_doubt_has_no_other_verdict(doubtful: int) -> None:
    runs = [run("slow", [repeat(0.2)] * 3), run("fast", [repeat(0.1, 0.5)] * 3)]
    said = "The client itself woke late: times as short as these are in doubt."
    runs[doubtful]["cases"][0]["notes"] = [said]
    assert {each.verdict for each in compare(*runs)} == {"in doubt"}
    assert noted(*runs) == [f"one at once, {('slow', 'fast')[doubtful]}: {said}"]


def test_a_note_that_is_no_doubt_leaves_the_verdict() -> None:
    runs = [run("slow", three(0.2)), run("fast", three(0.1, 0.5))]
    runs[0]["cases"][0]["notes"] = [
        "Shortened: this model takes 8,192 tokens at most.",
        "Prefix caching is off: the shared document was read each time.",
    ]
    assert len(noted(*runs)) == 2
    assert "more" in {each.verdict for each in compare(*runs)}


def test_what_one_run_has_not_is_told_without_a_ratio() -> None:
    """Where everything failed there is no latency, and 0 tokens a second."""
    bad = [sample(error="HTTP 500")]
    failed = Repeat(figures(bad, began_s=100.0, ended_s=101.0), bad, 100.0, None)
    rows = compare(run("good", [repeat(0.2)] * 3), run("bad", [failed] * 3))
    found = {each.figure: (each.after, each.ratio, each.verdict) for each in rows}
    assert found["output_tokens_per_s"] == (0.0, None, "in doubt")
    assert found["ttft_p50_s"] == (None, None, "in doubt")
