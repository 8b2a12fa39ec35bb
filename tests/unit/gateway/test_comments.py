"""What a waiting client is told, in which words, and when."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.gateway.conftest import FakeLease
from tests.unit.gateway.events import parse

from sparkwell.core.launch import Endpoint
from sparkwell.gateway.backend import Waiting
from sparkwell.gateway.comments import Pace, Said, arrived, comment, is_due, where

PACE = Pace()


@pytest.mark.parametrize(
    ("waiting", "line"),
    [
        (Waiting("m", "loading weights", 45.4, 38.0), "m: loading weights, 45 %, about 38 s left"),
        (Waiting("m", "waiting for its turn", ahead=1), "m: waiting for its turn, 1 request ahead"),
        (
            Waiting("m", "draining n", left_s=130.2, ahead=3),
            "m: draining n, about 2 min 10 s left, 3 requests ahead",
        ),
        (Waiting("m", "warm-up", 0.0, 0.0), "m: warm-up, 0 %, about 0 s left"),
        (Waiting("m", "warm-up", 120.0, -4.0), "m: warm-up, 100 %, about 0 s left"),
        (Waiting("m", "warm-up", math.nan, math.inf), "m: warm-up"),
        (Waiting("m", "stopping\r\ndata: x\n\n"), "m: stopping data: x"),
    ],
)
def test_where_a_request_stands(waiting: Waiting, line: str) -> None:
    assert where(waiting) == f": sparkwell {line}\n".encode()


def test_what_the_headers_could_not_say() -> None:
    lease = FakeLease(Endpoint(port=1), lambda: None, model="m", instance="m-1")
    said = arrived(lease, 41_200, 38_120)
    assert said == b": sparkwell m: ready, instance m-1, queued 41200 ms, load 38120 ms\n"


@given(st.text(st.characters(codec=None)))
def test_whatever_the_words_are_it_is_one_comment(words: str) -> None:
    ((kind, _),) = parse(comment(words))
    assert kind == "comment"


phases = st.sampled_from(["queue", "weights"])
percents = st.sampled_from([None, 1.0, 2.0])


@given(st.lists(st.tuples(st.floats(0.01, 3.0), phases, percents), min_size=1, max_size=60))
def test_a_comment_comes_at_each_phase_else_seldom_but_often_enough(
    looks: list[tuple[float, str, float | None]],
) -> None:
    now, said, before = 0.0, None, None
    for step_s, phase, percent in looks:
        now += step_s
        line = where(Waiting("m", phase, percent))
        due = is_due(said, phase, line, now, PACE)
        if phase != before:
            assert due
        elif said and due:
            assert now - said.at >= PACE.every_s
        elif said:
            assert now - said.at < PACE.keep_alive_s
            assert line == said.line or now - said.at < PACE.every_s
        said, before = (Said(phase, line, now) if due else said), phase


def test_no_silence_lasts_longer_than_proxies_bear() -> None:
    """A look may come up to ``look_s`` late."""
    assert PACE.keep_alive_s + PACE.look_s <= 15
