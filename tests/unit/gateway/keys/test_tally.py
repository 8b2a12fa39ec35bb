"""What was used: each request counted once, on its day, for the store and for /metrics."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkwell.core.keys import UsageRow
from sparkwell.gateway.keys import tally as tally_module
from sparkwell.gateway.keys.tally import OTHER, Tally

DAY_S = 86_400.0
MAY_9 = 1_778_284_800.0  # 2026-05-09 00:00 UTC


class Clock:
    def __init__(self, at: float = MAY_9) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def test_one_row_for_each_day_key_and_model() -> None:
    clock = Clock(MAY_9 + DAY_S - 1)
    tally = Tally(clock)
    tally.add("k", "m", 200, 10, 5)
    tally.add("k", "m", 200, 1, None)
    tally.add("k", "n", 500, None, None)
    clock.at += 1
    tally.add("k", "m", 200, None, None)
    tally.add("", "m", 0, None, None)
    tally.lose("", "n")
    assert tally.drain() == [
        UsageRow("2026-05-09", "k", "m", 2, 0, 11, 5, 0),
        UsageRow("2026-05-09", "k", "n", 1, 1, 0, 0, 0),
        UsageRow("2026-05-10", "k", "m", 1, 0, 0, 0, 1),
        UsageRow("2026-05-10", "", "m", 1, 1, 0, 0, 0),
        UsageRow("2026-05-10", "", "n", 1, 1, 0, 0, 1),
    ]
    assert tally.drain() == []


def test_a_clock_that_goes_back_counts_on_the_day_that_it_says() -> None:
    clock = Clock()
    tally = Tally(clock)
    tally.add("k", "m", 200, 1, 1)
    clock.at -= 1
    tally.add("k", "m", 200, 1, 1)
    assert [row.day for row in tally.drain()] == ["2026-05-09", "2026-05-08"]


def test_totals_go_on_while_the_store_is_told() -> None:
    tally = Tally(Clock())
    for _ in range(3):
        tally.add("k", "m", 200, 2, 1)
        tally.drain()
    tally.add("k", "m", 429, None, None)
    ((pair, used),) = tally.totals()
    assert (pair, used.requests, used.prompt_tokens, used.output_tokens) == (("k", "m"), 4, 6, 3)
    assert used.codes == {200: 3, 429: 1}
    assert [row.requests for row in tally.drain()] == [1]  # asking for totals took nothing away


def test_totals_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally_module, "MOST_SERIES", 3)
    tally = Tally(Clock())
    for number in range(10):
        tally.add(f"k{number}", "m", 200, 1, 1)
    totals = dict(tally.totals())
    assert set(totals) == {("k0", "m"), ("k1", "m"), ("k2", "m"), (OTHER, OTHER)}
    assert totals[OTHER, OTHER].requests == 7
    assert len(tally.drain()) == 10


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", ""]),
            st.sampled_from(["m", "n"]),
            st.sampled_from([0, 200, 400, 500]),
            st.none() | st.integers(0, 100),
            st.booleans(),
            st.integers(0, 100_000),
        ),
        max_size=50,
    )
)
def test_nothing_is_lost_or_counted_twice(
    requests: list[tuple[str, str, int, int | None, bool, int]],
) -> None:
    clock = Clock()
    tally = Tally(clock)
    rows: list[UsageRow] = []
    for key, model, status, tokens, drains, seconds in requests:
        tally.add(key, model, status, tokens, tokens)
        clock.at += seconds
        if drains:
            rows += tally.drain()
    rows += tally.drain()
    counted = Counter[tuple[str, str]]()
    for row in rows:
        counted[row.key_id, row.model] += row.requests
    assert counted == Counter((each[0], each[1]) for each in requests)
    assert sum(row.output_tokens for row in rows) == sum(each[3] or 0 for each in requests)
    assert {pair: used.requests for pair, used in tally.totals()} == counted
    assert sum(row.errors + row.uncounted for row in rows) == sum(
        1 for _, _, status, tokens, *_ in requests if status != 200 or tokens is None
    )
