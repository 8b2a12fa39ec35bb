"""Limits of keys: who is let through, what it says to the others, and that all is given back."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkwell.core.keys import Key
from sparkwell.gateway.keys.errors import ModelNotAllowedError, RateLimitedError
from sparkwell.gateway.keys.seam import Passage, Turnstile
from sparkwell.gateway.keys.tally import Tally
from sparkwell.gateway.keys.turnstile import LimitingTurnstile

KEY = Key("key-00000001", "bob", b"", "aaaa", 0.0)


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tally() -> Tally:
    return Tally(lambda: 0.0)


@pytest.fixture
def turnstile(clock: Clock, tally: Tally) -> LimitingTurnstile:
    return LimitingTurnstile(tally, clock)


def test_without_limits_everybody_comes_in_and_there_are_no_headers(
    turnstile: LimitingTurnstile, tally: Tally
) -> None:
    seam: Turnstile = turnstile
    for key in (None, KEY):
        passage: Passage = seam.enter(key, "m")
        assert passage.headers == {}
        passage.leave(200, 3, 4)
    assert [(row.key_id, row.requests, row.prompt_tokens) for row in tally.drain()] == [
        ("", 1, 3),
        (KEY.id, 1, 3),
    ]


def test_a_key_is_for_its_models(turnstile: LimitingTurnstile, tally: Tally) -> None:
    key = replace(KEY, models=("a", "b"), rpm=1)
    with pytest.raises(ModelNotAllowedError, match=r"'bob' is not for 'c'\. It is for: a, b") as no:
        turnstile.enter(key, "c")
    assert (no.value.code, no.value.http_status) == ("model_not_allowed", 403)
    turnstile.enter(key, "b").leave(200, None, None)
    assert dict(tally.refused()) == {(KEY.id, "model"): 1}


def test_requests_a_minute(turnstile: LimitingTurnstile, clock: Clock, tally: Tally) -> None:
    key = replace(KEY, rpm=3)
    for _ in range(3):
        turnstile.enter(key, "m").leave(200, 1, 1)
    clock.at += 8.0
    with pytest.raises(RateLimitedError, match="3 requests a minute") as caught:
        turnstile.enter(key, "m")
    error = caught.value
    assert (error.code, error.http_status, error.limit) == ("rate_limit_exceeded", 429, "requests")
    assert error.retry_after_s == pytest.approx(12.0)
    assert error.headers == {
        "x-ratelimit-limit-requests": "3",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "52s",
        "retry-after-ms": "12000",
    }
    assert dict(tally.refused()) == {(KEY.id, "requests"): 1}
    clock.at += error.retry_after_s or 0.0
    turnstile.enter(key, "m")


def test_a_refused_request_costs_nothing(turnstile: LimitingTurnstile, clock: Clock) -> None:
    key = replace(KEY, rpm=1)
    turnstile.enter(key, "m").leave(200, 1, 1)
    for _ in range(1000):
        clock.at += 0.0599
        with pytest.raises(RateLimitedError):
            turnstile.enter(key, "m")
    clock.at += 0.2
    turnstile.enter(key, "m")


def test_tokens_count_when_they_are_known(turnstile: LimitingTurnstile, clock: Clock) -> None:
    key = replace(KEY, tpm=600)
    first, second = turnstile.enter(key, "m"), turnstile.enter(key, "m")
    first.leave(200, 400, 100)
    assert second.headers == {
        "x-ratelimit-limit-tokens": "600",
        "x-ratelimit-remaining-tokens": "100",
        "x-ratelimit-reset-tokens": "50s",
    }
    second.leave(200, 300, 200)  # 400 more than there were
    with pytest.raises(RateLimitedError, match="600 tokens a minute") as caught:
        turnstile.enter(key, "m")
    assert caught.value.limit == "tokens"
    assert caught.value.retry_after_s == pytest.approx(40.1)
    assert caught.value.headers["retry-after-ms"] in ("40100", "40101")
    clock.at += 40.1
    turnstile.enter(key, "m")


def test_unknown_tokens_take_none(turnstile: LimitingTurnstile) -> None:
    key = replace(KEY, tpm=1)
    for _ in range(5):
        turnstile.enter(key, "m").leave(0, None, None)


def test_requests_at_a_time(turnstile: LimitingTurnstile) -> None:
    key = replace(KEY, concurrency=2, rpm=10)
    inside = [turnstile.enter(key, "m") for _ in range(2)]
    with pytest.raises(RateLimitedError, match="2 of its requests are being served") as caught:
        turnstile.enter(key, "m")
    assert (caught.value.limit, caught.value.retry_after_s) == ("concurrency", 1.0)
    assert caught.value.headers["x-ratelimit-remaining-requests"] == "8"
    inside[0].leave(0, None, None)
    inside[0].leave(200, 5, 5)  # a second time
    turnstile.enter(key, "m")
    assert turnstile.inside(KEY.id) == 2


def test_each_key_has_its_own(turnstile: LimitingTurnstile) -> None:
    one, other = replace(KEY, rpm=1), replace(KEY, id="key-2", rpm=1)
    turnstile.enter(one, "m")
    turnstile.enter(other, "m")
    with pytest.raises(RateLimitedError):
        turnstile.enter(one, "m")


def test_a_key_with_a_new_secret_keeps_what_it_used(turnstile: LimitingTurnstile) -> None:
    key = replace(KEY, rpm=1, tpm=100)
    turnstile.enter(key, "m")
    rotated = replace(key, digest=b"new")
    with pytest.raises(RateLimitedError):
        turnstile.enter(rotated, "m")
    wider = replace(key, rpm=2)
    assert turnstile.enter(wider, "m").headers["x-ratelimit-limit-requests"] == "2"


def test_forgotten_keys_leave_nothing_behind_but_what_is_inside(
    turnstile: LimitingTurnstile,
) -> None:
    gone = replace(KEY, id="key-2")
    passage = turnstile.enter(gone, "m")
    turnstile.enter(KEY, "m").leave(200, 1, 1)
    turnstile.keep(())
    assert turnstile.inside("key-2") == 1
    passage.leave(200, 1, 1)
    turnstile.keep(())
    assert turnstile._meters == {}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.integers(0, 0)),
        st.tuples(st.just("leave"), st.integers(0, 30)),
        st.tuples(st.just("wait"), st.integers(0, 30_000)),
    ),
    max_size=80,
)


class Story:
    """A key whose requests come and go, with what is to be true of it at each moment."""

    def __init__(self, key: Key) -> None:
        self.key, self.clock, self.tally = key, Clock(), Tally(lambda: 0.0)
        self.turnstile = LimitingTurnstile(self.tally, self.clock)
        self.inside: list[Passage] = []
        self.left: list[Passage] = []
        self.entered: list[float] = []

    def step(self, what: str, value: int) -> None:
        if what == "wait":
            self.clock.at += value / 1000
        elif what == "leave":
            self.leave(value)
        else:
            self.enter()

    def enter(self) -> None:
        full = len(self.inside) == self.key.concurrency
        limit = None
        try:
            self.inside.append(self.turnstile.enter(self.key, "m"))
            self.entered.append(self.clock.at)
        except RateLimitedError as refused:
            limit = refused.limit
        assert full == (limit == "concurrency")

    def leave(self, value: int) -> None:
        if value < len(self.inside):
            self.left.append(self.inside.pop(value))
            self.left[-1].leave(200, 1, 1)
        elif self.left:
            self.left[value % len(self.left)].leave(500, 9, 9)  # again: nothing happens


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 5), st.integers(1, 12), STEPS)
def test_any_story_keeps_the_limits_and_gives_all_back(
    concurrency: int, rpm: int, steps: list[tuple[str, int]]
) -> None:
    story = Story(replace(KEY, concurrency=concurrency, rpm=rpm))
    for what, value in steps:
        story.step(what, value)
        assert story.turnstile.inside(KEY.id) == len(story.inside) <= concurrency
    for first, at in enumerate(story.entered):
        for count, until in enumerate(story.entered[first:], 1):
            assert count <= rpm + rpm * (until - at) / 60 + 1e-3
    for passage in story.inside:
        passage.leave(0, None, None)
    assert story.turnstile.inside(KEY.id) == 0
    rows = story.tally.drain()
    assert sum(row.requests for row in rows) == len(story.entered)
    assert sum(row.prompt_tokens for row in rows) == len(story.left)
    assert sum(row.errors for row in rows) == len(story.inside)


def test_one_that_is_lost_gives_its_place_back_and_is_of_unknown_use(
    turnstile: LimitingTurnstile, tally: Tally
) -> None:
    for key in (None, replace(KEY, concurrency=1, tpm=1)):
        passage = turnstile.enter(key, "m")
        passage.lose()
        passage.lose()
        passage.leave(200, 5, 5)  # a second time
    assert turnstile.inside(KEY.id) == 0
    turnstile.enter(replace(KEY, concurrency=1, tpm=1), "m")
    rows = [(row.key_id, row.requests, row.errors, row.uncounted) for row in tally.drain()]
    assert rows == [("", 1, 1, 1), (KEY.id, 1, 1, 1)]
