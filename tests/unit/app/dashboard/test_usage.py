"""Usage added up: nothing is lost between a list, a table and a plot."""

from hypothesis import given
from hypothesis import strategies as st

from sparkwell.app.dashboard.usage import (
    MOST_COURSES,
    OTHERS,
    Row,
    by_key,
    courses,
    lines,
    of_days,
    row_of,
    sum_of,
)
from sparkwell.web.key_values import Used

DAYS = ("2026-05-07", "2026-05-08", "2026-05-09")
counts = st.integers(0, 10**12)
uses = st.builds(Used, counts, counts, counts, counts, counts)
rows = st.lists(
    st.builds(
        lambda day, number, model, used: Row(day, f"k{number}", f"id{number}", model, used),
        st.sampled_from(DAYS),
        st.integers(0, 9),
        st.sampled_from("ab"),
        uses,
    )
)


@given(rows)
def test_nothing_is_lost(given_rows: list[Row]) -> None:
    whole = sum_of(given_rows)

    def again(found: list[Used]) -> Used:
        return sum_of(Row("", "", None, "", used) for used in found)

    drawn = courses(given_rows, DAYS)
    assert again([line.used for line in lines(given_rows)]) == whole
    assert again(list(of_days(given_rows, DAYS))) == whole
    assert again([day for each in drawn for day in each.days]) == whole
    assert again(list(by_key(given_rows, DAYS).values())) == whole
    assert len(drawn) <= MOST_COURSES
    assert all(len(each.days) == len(DAYS) for each in drawn)


def test_who_used_most_comes_first() -> None:
    def row(key: str, tokens: int, requests: int = 1) -> Row:
        return Row(DAYS[0], key, key, "m", Used(requests, 0, tokens, 0, 0))

    found = [row("a", 1), row("b", 5), row("c", 1, 9)]
    assert [line.key for line in lines(found)] == ["b", "c", "a"]
    assert [each.key for each in courses(found, DAYS)] == ["b", "c", "a"]
    many = [row(f"k{n}", 100 - n) for n in range(9)]
    named = [each.key for each in courses(many, DAYS)]
    assert named == ["k0", "k1", "k2", "k3", "k4", OTHERS]
    assert courses(many, DAYS)[-1].days[0].tokens == 95 + 94 + 93 + 92
    assert [each.key for each in courses(many[:6], DAYS)] == [f"k{n}" for n in range(6)]


def test_whose_an_entry_is() -> None:
    entry = {
        "day": DAYS[0],
        "model": "m",
        "requests": 1,
        "errors": 2,
        "prompt_tokens": 3,
        "output_tokens": 4,
        "uncounted": 5,
    }
    named = row_of({**entry, "key": "bob", "key_id": "key-1"})
    assert (named.key, named.used) == ("bob", Used(1, 2, 3, 4, 5))
    assert row_of({**entry, "key": None, "key_id": "(this machine)"}).key == "(this machine)"
    assert row_of({**entry, "key": None, "key_id": None}).key == ""
