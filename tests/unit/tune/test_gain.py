"""What is gained, and whether it holds."""

import pytest
from tests.unit.tune.made import measured

from sparkwell.bench.figures import Slo
from sparkwell.bench.intervals import Ratio
from sparkwell.tune.gain import Gain, gains, holds, is_open
from sparkwell.tune.goal import Goal

SLO = Slo(ttft_s=1.0)
GOODPUT, THROUGHPUT = Goal("goodput", SLO, (16,)), Goal("throughput", None, (16,))


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


def test_one_repeat_with_nothing_among_several_shows_no_difference() -> None:
    """Means alone would call it better, without limit."""
    none, some = measured(5.0, slo=SLO), measured(slo=SLO)
    mixed, whole = [some, none, some], [some, some, measured(slo=SLO, seconds=11.0)]
    for before, after in ((mixed, whole), (whole, mixed), (mixed, [none, some, some])):
        own, *_ = gains(GOODPUT, "w", before, after, tuned_on=True)
        assert (own.ratio, own.verdict) == (None, "no difference shown")
        assert not holds([own], GOODPUT)
    found, *_ = gains(GOODPUT, "w", mixed, [none] * 3, tuned_on=True)
    assert found.verdict == "worse", "all of one side"


def test_one_repeat_without_an_answer_shows_no_difference() -> None:
    goal = Goal("latency", None, (2,))
    before, after = [measured(2.0), measured(count=0), measured(2.1)], [measured(0.2)] * 3
    found, _ = gains(goal, "w", before, after, tuned_on=True)
    assert found.verdict == "no difference shown"


def test_what_cannot_be_compared_counts_as_much_as_before() -> None:
    found = [gain("better", tuned_on=True), gain("no difference shown", tuned_on=True)]
    assert holds(found, GOODPUT)
    assert not holds(found, GOODPUT, least=1.05)


def gain(verdict: str, *, tuned_on: bool, figure: str = "goodput", workload: str = "w") -> Gain:
    return Gain(workload, tuned_on, figure, 1.0, 2.0, None, verdict)  # type: ignore[arg-type]


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


def shares(
    before: float, after: float, verdict: str = "no difference shown", workload: str = "w"
) -> Gain:
    own = workload == "w"
    return Gain(workload, own, "good_share", before, after, None, verdict)  # type: ignore[arg-type]


BOUNDED = Goal("throughput", SLO, (16,))


@pytest.mark.parametrize(
    ("verdict", "before", "after", "share", "said"),
    [
        ("better", 1.0, 0.5, "worse", False),
        ("worse", 0.5, 1.0, "better", True),
        ("better", 1.0, 0.96, "no difference shown", True),
        ("no difference shown", 1.0, 1.0, "no difference shown", False),
        ("worse", 0.947, 0.953, "no difference shown", False),
        ("better", 0.947, 0.953, "no difference shown", True),
    ],
)
def test_where_an_slo_bounds_the_goal_it_has_to_be_kept(
    verdict: str, before: float, after: float, share: str, said: bool
) -> None:
    own = gain(verdict, tuned_on=True, figure="output_tokens_per_s")
    assert holds([own, shares(before, after, share)], BOUNDED) is said


@pytest.mark.parametrize(
    ("elsewhere", "share", "said"),
    [
        ("worse", "no difference shown", False),
        ("worse", "better", True),
        ("no difference shown", "no difference shown", True),
    ],
)
def test_keeping_the_slo_costs_speed_only_where_more_requests_keep_it(
    elsewhere: str, share: str, said: bool
) -> None:
    figure = "output_tokens_per_s"
    found = [
        gain("worse", tuned_on=True, figure=figure),
        shares(0.5, 1.0, "better"),
        gain(elsewhere, tuned_on=False, figure=figure, workload="long"),
        shares(0.9, 0.95, share, workload="long"),
    ]
    assert holds(found, BOUNDED) is said


def test_a_narrow_cache_has_to_gain_enough_in_the_check_too() -> None:
    before = [measured(seconds=each) for each in (10.30, 10.31, 10.29)]
    after = [measured(seconds=each) for each in (10.0, 10.01, 9.99)]
    found = gains(THROUGHPUT, "w", before, after, tuned_on=True)
    assert holds(found, THROUGHPUT)
    assert not holds(found, THROUGHPUT, least=1.05)


def unshown(ratio: float, figure: str = "output_tokens_per_s") -> Gain:
    told = Ratio(ratio, ratio / 3, 3 * ratio, "no difference shown")
    return Gain("w", True, figure, 1.0, ratio, told, "no difference shown")


def test_a_gain_that_repeats_are_too_far_apart_to_show_is_open() -> None:
    assert is_open([unshown(1.29)], THROUGHPUT)
    assert is_open([unshown(0.8, "e2e_p95_s")], Goal("latency", None, (2,)))
    assert not holds([unshown(1.29)], THROUGHPUT)


def test_what_no_number_of_repeats_would_show_is_not() -> None:
    slower, little = [unshown(0.94)], [unshown(1.03)]
    assert not is_open(slower, THROUGHPUT)
    assert is_open(little, THROUGHPUT)
    assert not is_open(little, THROUGHPUT, least=1.05)
    worse = gain("worse", tuned_on=False, figure="output_tokens_per_s")
    assert not is_open([unshown(1.29), worse], THROUGHPUT)
    shown = gain("better", tuned_on=True, figure="output_tokens_per_s")
    assert not is_open([shown], THROUGHPUT)
    nothing = gain("no difference shown", tuned_on=True, figure="output_tokens_per_s")
    assert not is_open([nothing], THROUGHPUT), "without a ratio nobody knows"


@pytest.mark.parametrize(("share", "said"), [(0.8, False), (0.96, True)])
def test_what_breaks_the_slo_is_not_open(share: float, said: bool) -> None:
    assert is_open([unshown(1.29), shares(1.0, share)], BOUNDED) is said
