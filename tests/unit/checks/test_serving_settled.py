"""Findings appear after several rounds and stay a while; repeats are counted, not kept."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from sparkwell.checks.serving_repeats import END_BYTES, RepeatCounter, ends_of
from sparkwell.checks.serving_settled import (
    APPEARS_AFTER,
    GOES_AFTER,
    Standings,
    settled,
    shown,
)
from sparkwell.core.findings import Finding, Severity

TROUBLE = Finding("kv-cache-full", Severity.WARNING, "full")
WORTH = Finding("a-room", Severity.INFO, "room")
WELL = Finding("kv-cache-full", Severity.OK, "well")


def after(rounds: str, before: Standings | None = None) -> Standings:
    """The standings after rounds: "x" the trouble is found, "o" it is well, "." nothing is said."""
    now = before or {}
    for each in rounds:
        now = settled(now, {"x": [TROUBLE], "o": [WELL], ".": []}[each])
    return now


def test_a_finding_appears_when_it_was_seen_often_enough() -> None:
    assert shown(after("x" * (APPEARS_AFTER - 1))) == ()
    assert shown(after("x" * APPEARS_AFTER)) == (TROUBLE,)


def test_a_finding_that_comes_and_goes_never_appears() -> None:
    assert shown(after("xo" * 50)) == ()
    assert shown(after("xx." * 50)) == ()


def test_a_shown_finding_stays_a_while() -> None:
    there = "x" * APPEARS_AFTER
    assert shown(after(there + "o" * (GOES_AFTER - 1))) == (TROUBLE,)
    assert after(there + "." * GOES_AFTER) == {}
    assert shown(after(there + ("o" * (GOES_AFTER - 1) + "x") * 20)) == (TROUBLE,)


def test_the_newest_figures_are_told() -> None:
    newer = Finding("kv-cache-full", Severity.WARNING, "fuller")
    assert shown(settled(after("x" * 5), [newer])) == (newer,)


def test_warnings_before_what_is_worth_knowing() -> None:
    now: Standings = {}
    for _ in range(APPEARS_AFTER):
        now = settled(now, [WORTH, TROUBLE])
    assert shown(now) == (TROUBLE, WORTH)


@settings(deadline=None)
@given(st.text(alphabet="xo.", max_size=60))
def test_nothing_changes_faster_than_it_may(rounds: str) -> None:
    standings: Standings = {}
    changed_at, was = -APPEARS_AFTER, False
    for at, each in enumerate(rounds):
        standings = after(each, standings)
        now = bool(shown(standings))
        if now is not was:
            assert at - changed_at >= APPEARS_AFTER
            changed_at, was = at, now


# ── repeats ─────────────────────────────────────────────────────────────────────────────────


def chat(*texts: str) -> bytes:
    """The messages of a request, as a client sends them."""
    return json.dumps([{"role": "user", "content": text} for text in texts]).encode()


def test_the_ends_of_what_is_asked() -> None:
    asked = chat("a" * 600, "b" * 3000)
    assert ends_of(asked) == (asked[:1024], asked[-1024:])
    assert ends_of(b'"' + b"a" * 1024 + b"b" * 1024 + b'"') == (b"a" * 1024, b"b" * 1024)


def test_an_end_is_the_last_kib_over_several_messages() -> None:
    def tail(first: str) -> bytes:
        ends = ends_of(chat(first, "the last"))
        assert ends is not None
        return ends[1]

    assert tail("a" * 500 + "b" * 2000) == tail("c" * 500 + "b" * 2000)
    assert tail("b" * 2000 + "a") != tail("b" * 2000 + "c")


def test_what_is_short_has_no_ends() -> None:
    assert ends_of(b"") is None
    assert ends_of(b'"' + b"x" * (END_BYTES - 1) + b'"') is None
    assert ends_of(chat("x" * END_BYTES)) is not None


def test_a_fixed_beginning_is_told_from_a_fixed_end() -> None:
    counter = RepeatCounter()
    for number in range(100):
        counter.saw("first", ends_of(chat("document " * 300, f"{number} " * 500)))
        counter.saw("last", ends_of(chat(f"{number} " * 500, "document " * 300)))
    first, last = counter.of("first"), counter.of("last")
    assert first is not None
    assert last is not None
    assert (first.prompts, first.head, first.tail) == (100, 0.99, 0.0)
    assert (last.head, last.tail) == (0.0, 0.99)


def test_nothing_is_known_of_a_model_without_prompts() -> None:
    counter = RepeatCounter()
    counter.saw("m", None)
    assert counter.of("m") is None


def test_old_prompts_count_less() -> None:
    counter = RepeatCounter(fades_at=100)
    same, others = ends_of(chat("s" * 2000)), range(400)
    for _ in range(100):
        counter.saw("m", same)
    for number in others:
        counter.saw("m", ends_of(chat(f"{number:04} " * 500)))
    known = counter.of("m")
    assert known is not None
    assert known.head < 0.1
    assert known.prompts < 100


def test_it_stays_small_and_keeps_no_text() -> None:
    counter = RepeatCounter(kept=10)
    secret = "my password is hunter2 " * 100
    for number in range(200):
        counter.saw(f"model-{number}", ends_of(chat(secret)))
        counter.saw("m", ends_of(chat(f"{number} {secret}")))
    models = counter._models
    assert len(models) <= 64
    assert all(len(each.heads) <= 10 and len(each.tails) <= 10 for each in models.values())
    kept = b"".join(key for each in models.values() for key in (*each.heads, *each.tails))
    assert b"hunter2" not in kept


def test_hashes_of_two_counters_cannot_be_compared() -> None:
    one, two = RepeatCounter(), RepeatCounter()
    for counter in (one, two):
        counter.saw("m", ends_of(chat("x" * 2000)))
    assert set(one._models["m"].heads) != set(two._models["m"].heads)
