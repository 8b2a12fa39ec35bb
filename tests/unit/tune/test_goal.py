"""What a trial is worth."""

from dataclasses import replace

import pytest
from tests.unit.tune.made import measured

from sparkwell.bench.figures import Slo
from sparkwell.catalog.tuned import GoalName
from sparkwell.tune.goal import DEFAULT_SLO, Goal, goes_on, score

SLO = Slo(ttft_s=1.0)


def test_throughput_is_tokens_a_second_of_the_repeats() -> None:
    goal = Goal("throughput", None, (16,))
    found = score(goal, [[measured(seconds=10), measured(seconds=20)]])
    assert found.value == pytest.approx((11 + 5.5) / 2)
    assert (found.kept, found.near) == (True, None)


def test_throughput_under_an_slo_needs_nearly_all_to_keep_it() -> None:
    goal = Goal("throughput", SLO, (16,))
    assert score(goal, [[measured(count=40, slow=2, slo=SLO)]]).kept
    found = score(goal, [[measured(count=40, slow=3, slo=SLO)]])
    assert (found.kept, found.near) == (False, 0.925)


def test_goodput_is_what_kept_the_slo() -> None:
    goal = Goal("goodput", SLO, (16,))
    assert score(goal, [[measured(count=10, slow=4, slo=SLO)]]).value == pytest.approx(0.6)
    assert not score(goal, [[measured(ttft_s=5.0, slo=SLO)]]).kept


@pytest.mark.parametrize(
    ("count", "slow", "share"),
    [(100, 88, ", 12% kept the SLO"), (512, 511, ", 0.2% kept the SLO"), (100, 5, "")],
)
def test_goodput_says_the_share_where_many_did_not_keep_it(
    count: int, slow: int, share: str
) -> None:
    found = score(Goal("goodput", SLO, (16,)), [[measured(count=count, slow=slow, slo=SLO)]])
    assert found.said.partition(" good requests/s")[2] == share


def test_goodput_of_nothing_has_no_share_to_say() -> None:
    found = score(Goal("goodput", SLO, (16,)), [[measured(ttft_s=5.0, slo=SLO)]])
    assert found.said == "0.00 good requests/s"


@pytest.mark.parametrize("name", ["throughput", "latency"])
def test_quick_answers_do_not_make_up_for_failed_ones(name: GoalName) -> None:
    figures = replace(measured(count=10), failed=1)
    assert not score(Goal(name, None, (16,)), [[figures]]).kept


def test_latency_is_better_the_sooner_an_answer_is_whole() -> None:
    goal = Goal("latency", None, (2,))
    soon, late = (score(goal, [[measured(each)]]) for each in (0.1, 0.5))
    assert soon.value > late.value
    assert "1.10 s for an answer" in soon.said


def test_latency_of_no_answer_is_worth_nothing() -> None:
    found = score(Goal("latency", None, (2,)), [[measured(count=0)]])
    assert (found.value, found.kept) == (0.0, False)


def test_concurrency_is_the_last_step_that_keeps_the_slo_and_a_part_of_the_next() -> None:
    goal = Goal("concurrency", SLO, (8, 16, 32))
    steps = [[measured(slo=SLO, slow=slow)] for slow in (0, 5)]
    found = score(goal, steps)
    assert found.value == pytest.approx(8 + 8 * 0.5 / 0.95)
    assert found.said == "8 clients at once"


def test_concurrency_of_a_whole_ladder_is_its_end() -> None:
    goal = Goal("concurrency", SLO, (8, 16))
    found = score(goal, [[measured(slo=SLO)], [measured(slo=SLO)]])
    assert (found.value, found.kept) == (16.0, True)


def test_concurrency_that_fails_at_once_is_not_kept() -> None:
    found = score(Goal("concurrency", SLO, (8, 16)), [[measured(ttft_s=5.0, slo=SLO)]])
    assert (found.value, found.kept) == (0.0, False)


def test_only_a_ladder_ends_where_the_slo_is_not_kept() -> None:
    bad = [measured(ttft_s=5.0, slo=SLO)]
    assert not goes_on(Goal("concurrency", SLO, (8, 16)), bad)
    assert goes_on(Goal("goodput", SLO, (8,)), bad)


@pytest.mark.parametrize("name", ["goodput", "concurrency"])
def test_one_repeat_says_little_where_an_slo_makes_the_value(name: GoalName) -> None:
    assert Goal(name, SLO, (1,)).far_behind is None
    assert Goal("throughput", SLO, (1,)).far_behind == Goal("latency", None, (1,)).far_behind == 0.7


def test_goals_that_need_an_slo_have_one() -> None:
    assert DEFAULT_SLO["goodput"] == Slo(ttft_s=2.0)
    assert DEFAULT_SLO["concurrency"].tpot_s == 0.1


@pytest.mark.parametrize(
    ("name", "figure", "less"),
    [
        ("throughput", "output_tokens_per_s", False),
        ("latency", "e2e_p95_s", True),
        ("goodput", "goodput", False),
        ("concurrency", "goodput", False),
    ],
)
def test_each_goal_has_a_figure_to_compare(name: str, figure: str, less: bool) -> None:
    goal = Goal(name, SLO, (1,))  # type: ignore[arg-type]
    assert (goal.figure, goal.wants_less) == (figure, less)
