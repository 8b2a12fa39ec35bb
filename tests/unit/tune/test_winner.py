"""Which trial is used, and whether its gain holds."""

import pytest
from tests.unit.tune.made import failed, measured, trial

from sparkwell.bench.figures import Slo
from sparkwell.tune.goal import Goal
from sparkwell.tune.winner import Gain, best, gains, holds, nearest, unmet, worth

SLO = Slo(ttft_s=1.0)
GOODPUT, THROUGHPUT = Goal("goodput", SLO, (16,)), Goal("throughput", None, (16,))


def number(found: object) -> int | None:
    return getattr(found, "number", None)


def test_the_highest_of_those_that_kept_the_slo() -> None:
    trials = [trial(0, 10.0), trial(1, 30.0, kept=False, max_num_seqs=64)]
    trials += [trial(2, 20.0, max_num_seqs=32), failed(3)]
    assert number(best(trials)) == 2


def test_none_where_none_did() -> None:
    assert best([trial(0, 5.0, kept=False), failed(1)]) is None
    assert best([]) is None


def test_of_those_about_as_good_the_one_that_changes_least() -> None:
    trials = [trial(0, 10.0), trial(1, 20.0, max_num_seqs=32)]
    trials += [trial(2, 20.2, max_num_seqs=32, attention_backend="FLASHINFER")]
    assert number(best(trials)) == 1


def test_a_narrow_cache_has_to_gain_enough() -> None:
    trials = [trial(0, 10.0), trial(1, 20.0, max_num_seqs=64)]
    little = trial(2, 20.8, max_num_seqs=64, kv_cache_dtype="fp8")
    assert number(best([*trials, little])) == 1
    much = trial(2, 22.0, max_num_seqs=64, kv_cache_dtype="fp8")
    assert number(best([*trials, much])) == 2


def test_what_came_nearest_is_named() -> None:
    trials = [trial(0, 1.0, kept=False, near=0.2)]
    trials += [trial(1, 2.0, kept=False, near=0.6, max_num_seqs=64), failed(2)]
    assert number(nearest(trials)) == 1
    said = unmet(trials)
    assert "Trial 1 (max_num_seqs=64) came nearest: 60% of its requests" in said


def test_nothing_measured_is_said_too() -> None:
    assert unmet([failed(0)]) == "No start could be measured."


def test_a_gain_is_one_where_the_interval_says_so() -> None:
    before = [measured(seconds=each) for each in (20.0, 20.2, 19.8)]
    after = [measured(seconds=each) for each in (10.0, 10.1, 9.9)]
    [gain] = gains(THROUGHPUT, "w", before, after, tuned_on=True)
    assert gain.ratio is not None
    assert gain.ratio.value == pytest.approx(2.0, rel=0.01)
    assert gain.verdict == "better"
    [back] = gains(THROUGHPUT, "w", after, before, tuned_on=True)
    assert back.verdict == "worse"
    [same] = gains(THROUGHPUT, "w", before, before, tuned_on=True)
    assert same.verdict == "no difference shown"


def test_goodput_has_tokens_a_second_beside_it() -> None:
    found = gains(GOODPUT, "w", [measured(slo=SLO)] * 2, [measured(slo=SLO)] * 2, tuned_on=True)
    assert [each.figure for each in found] == ["goodput", "output_tokens_per_s", "good_share"]


def test_from_nothing_to_something_needs_no_ratio() -> None:
    none, some = [measured(5.0, slo=SLO)] * 3, [measured(slo=SLO)] * 3
    up, *_ = gains(GOODPUT, "w", none, some, tuned_on=True)
    assert (up.ratio, up.verdict) == (None, "better")
    down, *_ = gains(GOODPUT, "w", some, none, tuned_on=True)
    assert down.verdict == "worse"
    still, *_ = gains(GOODPUT, "w", none, none, tuned_on=True)
    assert still.verdict == "no difference shown"


def test_a_shorter_time_is_better() -> None:
    goal = Goal("latency", None, (2,))
    slow, quick = ([measured(each) for each in (at, at * 1.01, at * 0.99)] for at in (2.0, 0.2))
    found, _ = gains(goal, "w", slow, quick, tuned_on=True)
    assert (found.figure, found.verdict) == ("e2e_p95_s", "better")


def test_answers_that_never_came_took_longer_than_any() -> None:
    goal = Goal("latency", None, (2,))
    none, some = [measured(count=0)] * 3, [measured(0.2)] * 3
    for before, after, verdict in (
        (none, some, "better"), (some, none, "worse"), (none, none, "no difference shown"),
    ):  # fmt: skip
        found, _ = gains(goal, "w", before, after, tuned_on=True)
        assert (found.ratio, found.verdict) == (None, verdict)


def gain(verdict: str, *, tuned_on: bool, figure: str = "goodput") -> Gain:
    return Gain("w", tuned_on, figure, 1.0, 2.0, None, verdict)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("own", "other", "said"),
    [
        ("better", "better", True),
        ("better", "no difference shown", True),
        ("better", "worse", False),
        ("no difference shown", "better", False),
        ("too few repeats", "better", False),
    ],
)
def test_a_gain_holds_where_it_is_one_and_nothing_is_lost(own: str, other: str, said: bool) -> None:
    found = [gain(own, tuned_on=True), gain(other, tuned_on=False)]
    assert holds(found, GOODPUT) is said


def test_another_figure_does_not_decide() -> None:
    found = [gain("better", tuned_on=True), gain("worse", tuned_on=False, figure="itl")]
    assert holds(found, GOODPUT)


def shares(before: float, after: float) -> Gain:
    return Gain("w", True, "good_share", before, after, None, "no difference shown")


BOUNDED = Goal("throughput", SLO, (16,))


@pytest.mark.parametrize(
    ("verdict", "before", "after", "said"),
    [
        ("better", 1.0, 0.5, False),
        ("worse", 0.5, 1.0, True),
        ("better", 1.0, 0.96, True),
        ("no difference shown", 1.0, 1.0, False),
    ],
)
def test_where_an_slo_bounds_the_goal_it_has_to_be_kept(
    verdict: str, before: float, after: float, said: bool
) -> None:
    own = gain(verdict, tuned_on=True, figure="output_tokens_per_s")
    assert holds([own, shares(before, after)], BOUNDED) is said


def test_a_narrow_cache_has_to_gain_enough_in_the_check_too() -> None:
    before = [measured(seconds=each) for each in (10.30, 10.31, 10.29)]
    after = [measured(seconds=each) for each in (10.0, 10.01, 9.99)]
    found = gains(THROUGHPUT, "w", before, after, tuned_on=True)
    assert holds(found, THROUGHPUT)
    assert not holds(found, THROUGHPUT, least=1.05)
    wide, narrow = trial(0), trial(1, kv_cache_dtype="fp8")
    assert (worth(narrow, wide), worth(narrow, narrow), worth(wide, wide)) == (1.05, 1.0, 1.0)
