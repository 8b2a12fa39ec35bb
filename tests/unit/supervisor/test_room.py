"""Who fits beside whom, and who has to leave: arithmetic."""

from dataclasses import replace
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from sparkwell.supervisor.box import Box, Instance, Leave, State
from sparkwell.supervisor.room import Victim, grant, holding, leave_of, promised_bytes, victims
from sparkwell.supervisor.terms import BackEnd, Budget, Terms

NEW = Terms(40, 70)


def ready(model: str, held: int | None, terms: Terms | None = None) -> Instance:
    own = terms or Terms(held, held)
    return Instance(f"i-{model}", model, State.READY, terms=own, held_bytes=held)


def napper(model: str, held: int, asleep: int | None, *, sleeps: bool = False) -> Instance:
    terms = Terms(held, held, back_end=BackEnd.SLEEP_1, asleep_bytes=asleep)
    state = State.ASLEEP if sleeps else State.READY
    return Instance(f"i-{model}", model, state, terms=terms, held_bytes=held)


def box(*instances: Instance, total: int | None = 100) -> Box:
    return Box(instances, budget=Budget(total))


def names(found: list[Victim] | None) -> list[tuple[str, str]] | None:
    return None if found is None else [(e.instance.model, e.leave.value) for e in found]


# ── what it gets ────────────────────────────────────────────────────────────────────────────


def test_alone_it_gets_the_most_that_it_can_use() -> None:
    assert grant(box(), "new", NEW) == (True, 70)
    assert grant(box(), "new", Terms(40, 300)) == (True, 100)
    assert not grant(box(), "new", Terms(101, 300))[0]


def test_beside_others_it_gets_what_is_left() -> None:
    assert grant(box(ready("a", 50)), "new", NEW) == (True, 50)
    assert grant(box(ready("a", 60)), "new", NEW) == (True, 40)
    assert grant(box(ready("a", 61)), "new", NEW) == (False, None)


def test_unknown_sizes_are_never_guessed() -> None:
    unknown = Terms()
    assert grant(box(), "new", unknown) == (True, None)  # alone it may try
    assert grant(box(ready("a", 1)), "new", unknown) == (False, None)
    assert grant(box(ready("a", None)), "new", NEW) == (False, None)
    assert grant(box(ready("a", 1), total=None), "new", NEW) == (False, None)
    assert grant(box(total=None), "new", NEW) == (True, 70)


def test_one_that_is_lost_still_counts() -> None:
    lost = replace(ready("a", 61), state=State.FAILED, lost=True)
    gone = replace(ready("a", 61), state=State.FAILED)
    assert holding(box(lost)) == [lost]
    assert not grant(box(lost), "new", NEW)[0]
    assert grant(box(gone), "new", NEW) == (True, 70)


def test_one_that_sleeps_counts_with_what_it_holds_asleep() -> None:
    asleep = napper("a", 80, 30, sleeps=True)
    assert promised_bytes([asleep]) == 30
    assert grant(box(asleep), "new", NEW) == (True, 70)
    assert promised_bytes([napper("a", 80, None, sleeps=True)]) is None


def test_what_it_holds_itself_does_not_stand_in_its_way() -> None:
    """A model that sleeps wakes into the room that it has."""
    assert grant(box(napper("new", 80, 30, sleeps=True)), "new", Terms(80, 80)) == (True, 80)


# ── who leaves ──────────────────────────────────────────────────────────────────────────────


def test_nobody_leaves_where_it_fits() -> None:
    a = ready("a", 50)
    assert victims(box(a), "new", NEW, [a]) == []


def test_the_first_candidates_leave_and_no_more_than_needed() -> None:
    a, b, c = ready("a", 30), ready("b", 30), ready("c", 30)
    assert names(victims(box(a, b, c), "new", NEW, [c, a, b])) == [("c", "stop")]
    big = Terms(70, 70)
    assert names(victims(box(a, b, c), "new", big, [c, a, b])) == [("c", "stop"), ("a", "stop")]


def test_a_later_and_larger_one_spares_those_before_it() -> None:
    a, b = ready("a", 10), ready("b", 80)
    assert names(victims(box(a, b), "new", Terms(85, 85), [a, b])) == [("b", "stop")]


def test_not_enough_even_without_all_of_them() -> None:
    a, pinned = ready("a", 30), ready("p", 70)
    assert victims(box(a, pinned), "new", NEW, [a]) is None


def test_those_that_can_sleep_do_so_where_that_is_enough() -> None:
    a = napper("a", 80, 30)
    assert names(victims(box(a), "new", NEW, [a])) == [("a", "sleep")]
    assert names(victims(box(a), "new", Terms(80, 80), [a])) == [("a", "stop")]


def test_one_that_sleeps_already_can_only_end() -> None:
    assert leave_of(napper("a", 80, 30, sleeps=True)) is Leave.STOP
    assert leave_of(napper("a", 80, 30)) is Leave.SLEEP
    assert leave_of(ready("a", 80)) is Leave.STOP


def test_when_one_has_to_end_the_others_need_not_even_sleep() -> None:
    """The last candidate was asked for sleep, before it was known that the first has to end."""
    a, b = napper("a", 70, 50), napper("b", 20, 10)
    assert names(victims(box(a, b), "new", Terms(60, 60), [a, b])) == [("a", "stop")]


def test_what_an_unknown_one_holds_asleep_is_not_guessed() -> None:
    a = napper("a", 80, None)
    assert names(victims(box(a), "new", NEW, [a])) == [("a", "stop")]


sizes = st.integers(1, 60)
residents = st.lists(st.tuples(sizes, st.integers(0, 20), st.booleans()), max_size=5)


@given(residents, st.integers(1, 110))
def test_those_that_leave_are_enough_and_none_is_too_many(
    each_one: list[tuple[int, int, bool]], least: int
) -> None:
    there = [
        napper(f"m{place}", max(held, asleep), asleep) if naps else ready(f"m{place}", held)
        for place, (held, asleep, naps) in enumerate(each_one)
    ]
    terms = Terms(least, least)
    now = box(*there)
    found = victims(now, "new", terms, there)
    if found is None:
        everybody = [Victim(each, Leave.STOP) for each in there]
        assert not grant(now, "new", terms, everybody)[0]
        return
    assert grant(now, "new", terms, found)[0]
    for fewer in combinations(found, max(0, len(found) - 1)):
        assert not found or not grant(now, "new", terms, fewer)[0]
