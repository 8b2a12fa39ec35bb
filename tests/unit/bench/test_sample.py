"""An answer's bytes become a sample, however they are cut."""

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.bench.sample import Reading, Sample, said


def event(document: object) -> bytes:
    return b"data: " + msgspec.json.encode(document) + b"\n\n"


def token(text: str) -> bytes:
    return event({"choices": [{"index": 0, "text": text, "finish_reason": None}]})


def delta(**fields: Any) -> bytes:
    return event({"choices": [{"index": 0, "delta": fields}]})


USAGE = event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}})
DONE = b"data: [DONE]\n\n"
ANSWER = b": queued, 1 before you\n\n" + token("a") + token("b") + token("c") + USAGE + DONE


def read(*parts: tuple[float, bytes], status: int = 200) -> Sample:
    sample = Sample(due_s=1.0, sent_s=1.5, status=status)
    reading = Reading(sample)
    for now_s, data in parts:
        reading.take(data, now_s)
    reading.end(9.0)
    return sample


def test_times_are_those_of_tokens() -> None:
    found = read((2.0, delta(role="assistant", content="")), (3.0, token("a")), (3.5, token("b")),
                 (4.5, token("c")), (5.0, USAGE), (5.0, DONE))  # fmt: skip
    assert (found.first_s, found.last_s, list(found.gaps)) == (3.0, 4.5, [0.5, 1.0])
    assert (found.ttft_s, found.tpot_s, found.e2e_s) == (2.0, 0.75, 8.0)
    assert (found.prompt_tokens, found.tokens, found.good) == (7, 3, True)


def test_latencies_count_from_when_it_was_due() -> None:
    """Not from when a held-up client got to send it: that would be coordinated omission."""
    assert read((3.0, token("a"))).ttft_s == 2.0


@given(st.lists(st.integers(1, len(ANSWER) - 1), max_size=8, unique=True))
def test_how_it_is_cut_changes_nothing(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(ANSWER)]
    found = read(*((2.0, ANSWER[a:b]) for a, b in itertools.pairwise(ends)))
    assert (found.first_s, found.tokens, found.prompt_tokens) == (2.0, 3, 7)
    assert found.error is None


def test_lines_may_end_as_http_has_it() -> None:
    assert read((2.0, ANSWER.replace(b"\n", b"\r\n"))).tokens == 3


def test_several_tokens_in_an_event_are_counted_by_the_engine() -> None:
    """As with speculative decoding: events are fewer than tokens."""
    found = read((2.0, token("a b")), (3.0, token("c d")),
                 (3.0, event({"choices": [], "usage": {"completion_tokens": 5}})))  # fmt: skip
    assert (found.tokens, found.tpot_s) == (5, 0.25)


def test_events_are_counted_where_the_engine_says_nothing() -> None:
    assert read((2.0, token("a")), (3.0, token("b"))).tokens == 2


@pytest.mark.parametrize(
    "fields",
    [{"content": "x"}, {"reasoning_content": "x"}, {"reasoning": "x"}, {"tool_calls": [{}]}],
)
def test_whatever_is_generated_is_a_token(fields: dict[str, Any]) -> None:
    assert read((2.0, delta(**fields))).first_s == 2.0


def test_a_refusal_is_an_error_in_its_own_words() -> None:
    found = read((2.0, b'{"error": {"message": "no such'), (2.0, b' model"}}'), status=404)
    assert (found.error, found.good, found.tokens) == ("404: no such model", False, 0)


def test_an_error_in_the_stream_is_one() -> None:
    found = read((2.0, token("a")), (3.0, event({"error": {"message": "the engine died"}})))
    assert (found.error, found.good) == ("the engine died", False)


def test_what_is_no_event_is_an_error() -> None:
    assert "not understood" in str(read((2.0, b"data: {oops\n\n")).error)


def test_an_answer_without_a_token_is_no_good_one() -> None:
    assert read((2.0, USAGE + DONE)).error == "the answer has no token"


def test_one_token_has_no_time_between_tokens() -> None:
    assert read((2.0, token("a"))).tpot_s is None


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error": "text"}', b"[1]"])
def test_a_body_of_no_known_shape_is_told_as_it_is(body: bytes) -> None:
    assert said(body) == (body.decode() or "no words")
