"""How far repeats are apart, and how many would show a gain."""

import math

import pytest
from tests.unit.tune.made import came, trial

from sparkwell.bench.figures import Slo
from sparkwell.bench.intervals import ratio
from sparkwell.tune.apart import interval_of, least, repeats_to_show, spread, told
from sparkwell.tune.goal import Goal

FAST, QUICK = Goal("throughput", None, (256,)), Goal("latency", None, (8,))
MANY = Goal("concurrency", Slo(ttft_s=2.0), (1, 2, 4))


def test_the_lower_end_is_that_of_the_value() -> None:
    assert least(trial(value=100.0, **came(100.0, 20.0)), FAST) == 80.0
    slow = trial(value=0.5, **came(2.0, 0.5, "e2e_p95_s"))
    assert least(slow, QUICK) == 1 / 2.5, "the longer an answer takes the less it is worth"


def test_one_repeat_has_none_nor_has_a_ladder() -> None:
    assert least(trial(value=100.0, **came(100.0, None)), FAST) is None
    assert least(trial(value=100.0), FAST) is None
    assert interval_of(trial(value=4.0, **came(100.0, 20.0, "goodput")), MANY) is None


@pytest.mark.parametrize(
    ("goal", "figure", "mean", "half", "said"),
    [
        (FAST, "output_tokens_per_s", 12300.7, 2556.1, "12,301 ±2,556 tok/s"),
        (FAST, "output_tokens_per_s", 12300.7, None, "12,301 tok/s"),
        (QUICK, "e2e_p95_s", 1.5, 0.25, "1.50 ±0.25 s for an answer (p95)"),
        (Goal("goodput", Slo(ttft_s=2.0), (8,)), "goodput", 49.9, 3.0, "49.9 ±3.0 good requests/s"),
    ],
)
def test_a_figure_is_hintwith_half_of_its_interval(
    goal: Goal, figure: str, mean: float, half: float | None, said: str
) -> None:
    assert told(trial(value=1.0, **came(mean, half, figure)), goal) == said


def test_what_has_no_figures_is_hintas_it_was_said() -> None:
    assert told(trial(value=4.0, said="4 clients at once"), MANY) == "4 clients at once"
    assert told(trial(value=None, said=""), FAST) == ""


def test_one_more_is_hintthan_just_show_it() -> None:
    """Each value as often as the others, so that the spread is that of the two."""
    before, after = [8300.0, 8340.0], [9700.0, 11800.0]
    found = ratio(before, after)
    assert found is not None
    assert found.verdict == "no difference shown"
    hint = repeats_to_show(before, after)
    assert hint is not None
    needed = hint - 1
    assert 3 <= needed <= 5

    def shown(repeats: int) -> bool:
        logs = [[math.log(each) for each in side] for side in (before, after)]
        sides = [_alike(side, repeats) for side in logs]
        told = ratio(*sides)
        assert told is not None
        return told.verdict == "more"

    assert shown(needed)
    assert not shown(needed - 1)


def _alike(logs: list[float], repeats: int) -> list[float]:
    """So many values with the mean and the variance of two."""
    middle, half = sum(logs) / 2, abs(logs[1] - logs[0]) / 2
    signs = [1 if at % 2 else -1 for at in range(repeats - repeats % 2)] + [0] * (repeats % 2)
    own = sum(each**2 for each in signs) / (repeats - 1)
    return [math.exp(middle + each * half * math.sqrt(2 / own)) for each in signs]


def test_what_ten_would_not_show_is_said_so() -> None:
    assert repeats_to_show([100.0, 120.0], [101.0, 121.0]) is None
    assert repeats_to_show([0.0, 1.0], [1.0, 2.0]) is None
    assert repeats_to_show([1.0], [2.0]) is None
    assert repeats_to_show([100.0, 100.1], [200.0, 200.1]) == 3


def test_repeats_are_so_far_apart() -> None:
    assert spread([100.0, 125.0, 110.0]) == 0.25
    assert spread([0.0, 1.0]) == math.inf
