"""What each start takes where several models are asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.app.daemon.lately import LATELY_S, Lately
from sparkwell.supervisor.terms import Terms

TOTAL = 1000
SMALL = Terms(100, 980)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lately(clock: Clock) -> Lately:
    return Lately(clock)


def most(lately: Lately, model: str, terms: Terms = SMALL, total: int | None = TOTAL) -> int | None:
    return lately.shared(model, terms, total).most_bytes


def test_the_only_one_takes_all(lately: Lately) -> None:
    assert [most(lately, "a"), most(lately, "a")] == [980, 980]


def test_each_gets_its_least_and_an_equal_part_of_the_rest(lately: Lately) -> None:
    assert [most(lately, each) for each in "aba"] == [980, 500, 500]
    assert most(lately, "c", Terms(400, 980)) == 400 + 133


def test_one_that_was_asked_for_long_ago_needs_nothing(lately: Lately, clock: Clock) -> None:
    most(lately, "a")
    clock.now = LATELY_S
    assert most(lately, "b") == 500
    clock.now += 1.0
    assert most(lately, "b") == 980


def test_those_that_do_not_fit_together_take_turns(lately: Lately) -> None:
    big = Terms(600, 980)
    assert [most(lately, each, big) for each in "aba"] == [980, 980, 980]


def test_those_that_would_have_next_to_nothing_take_turns(lately: Lately) -> None:
    tight = Terms(450, 980)
    assert [most(lately, each, tight) for each in "ab"] == [980, 500]
    tighter = Terms(451, 980)
    assert [most(lately, each, tighter) for each in "cd"] == [980, 980]


def test_the_one_that_was_asked_for_last_comes_first(lately: Lately, clock: Clock) -> None:
    """There is room for one of two."""
    for clock.now, model, least in ((0.0, "old", 700), (1.0, "new", 500)):
        most(lately, model, Terms(least, 980))
    clock.now = 2.0
    assert most(lately, "a") == 100 + 200


def test_one_of_a_fixed_size_leaves_the_rest_to_the_others(lately: Lately) -> None:
    assert most(lately, "fixed", Terms(300, 300)) == 300
    assert most(lately, "a") == 700
    assert most(lately, "fixed", Terms(300, 300)) == 300


@pytest.mark.parametrize("unknown", [Terms(), Terms(None, 300), Terms(300, None)])
def test_what_nobody_can_size_stays_as_it_is(lately: Lately, unknown: Terms) -> None:
    most(lately, "a")
    assert lately.shared("b", unknown, TOTAL) is unknown
    assert lately.shared("c", SMALL, None) is SMALL


def terms_up_to(least: int) -> st.SearchStrategy[Terms]:
    pairs = st.tuples(st.integers(0, least), st.integers(0, 1000))
    return pairs.map(lambda two: Terms(min(two), max(two)))


@given(st.lists(st.tuples(st.sampled_from("abcd"), terms_up_to(1000)), max_size=12))
def test_nobody_gets_less_than_its_least_or_more_than_its_most(
    asked: list[tuple[str, Terms]],
) -> None:
    lately = Lately(lambda: 0.0)
    for model, terms in asked:
        got = lately.shared(model, terms, TOTAL)
        assert got.least_bytes == terms.least_bytes
        assert (terms.least_bytes or 0) <= (got.most_bytes or 0) <= (terms.most_bytes or 0)


@given(st.lists(terms_up_to(150), min_size=2, max_size=5))
def test_once_all_were_asked_for_all_that_fit_at_their_least_fit(every: list[Terms]) -> None:
    """Five of them leave a twentieth of the machine to each."""
    lately = Lately(lambda: 0.0)
    for _ in range(2):
        got = [lately.shared(str(name), terms, TOTAL) for name, terms in enumerate(every)]
    assert sum(each.most_bytes or 0 for each in got) <= TOTAL
