"""Heads that come again: not parsed, and understood just as a parser would."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.gateway.conftest import Around, Client, Engine
from tests.unit.gateway.test_connections import post, wire
from tests.unit.gateway.test_fuzz_wire import TOKENS, bodies, cuts, headers, targets
from tests.unit.gateway.wire_reading import Taken, cut, read_answer, read_requests

from sparkwell.core.errors import SparkwellError
from sparkwell.core.keys import Key
from sparkwell.gateway.wire.answer import AnswerReader
from sparkwell.gateway.wire.incoming import RequestReader
from sparkwell.gateway.wire.limits import Limits

ASK = b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nContent-Length: %d\r\n\r\n%b"
ANSWER = b"HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: %d\r\ncontent-type: a/b\r\n\r\n%b"


class Spied:
    """A parser, and what it was given."""

    def __init__(self, parser: Any) -> None:
        self.parser = parser
        self.fed: list[bytes] = []

    def feed_data(self, data: bytes) -> None:
        self.fed.append(data)
        self.parser.feed_data(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.parser, name)


def reader_of(taken: Taken) -> tuple[RequestReader, Spied]:
    reader = RequestReader(taken, Limits())
    spied = Spied(reader._parser)
    reader._parser = cast("Any", spied)
    return reader, spied


def in_one(pieces: Sequence[bytes]) -> tuple[Taken, bool]:
    """As read by a reader that remembers nothing: everything comes in one piece."""
    return read_requests([b"".join(pieces)])


def test_a_head_that_comes_again_is_not_parsed() -> None:
    taken = Taken()
    reader, spied = reader_of(taken)
    sent = [ASK % (len(body), body) for body in (b"{}", b"{...}", b"", b"x" * 1000)]
    for data in sent:
        reader.feed(data)
    assert spied.fed == sent[:1]
    assert taken.requests == in_one(sent)[0].requests


def test_its_body_may_come_later_and_the_next_request_with_it() -> None:
    taken = Taken()
    reader, spied = reader_of(taken)
    one, three = ASK % (2, b"{}"), ASK % (3, b"abc")
    for data in (one, three[:-3], b"a", b"bc" + one + one[:-1], b"}" + one):
        reader.feed(data)
    assert spied.fed == [one]
    assert [body for *_, body in taken.requests] == [b"{}", b"abc", b"{}", b"{}", b"{}"]


def test_between_two_of_them_others_may_come() -> None:
    taken = Taken()
    reader, _ = reader_of(taken)
    other = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    one = ASK % (2, b"{}")
    sent = [one, other, one, b"\r\n", one, one]
    for data in sent:
        reader.feed(data)
    assert taken.requests == in_one(sent)[0].requests
    assert len(taken.requests) == 5


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\n",
        b"POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nX: Content-Length: 2\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\t2\r\n\r\n",
        b"\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nUpgrade: h2c\r\n"
        b"Connection: upgrade\r\n\r\n",
    ],
)
def test_what_is_not_plain_is_parsed_each_time(head: bytes) -> None:
    taken = Taken()
    reader, _ = reader_of(taken)
    reader.feed(head + b"{}")
    assert len(taken.requests) == 1
    assert reader._repeating.match(head + b"{}") is None


def test_a_wish_for_another_protocol_is_not_remembered_as_what_came_before() -> None:
    """What wishes for another protocol is read anew: as itself, and not as what came before."""
    wish = b"POST /two HTTP/1.1\r\nHost: b\r\nX-One: 2\r\nUpgrade: c\r\nConnection: upgrade\r\n"
    plain = b"POST /two HTTP/1.1\r\nhost: b\r\nx-one: 2\r\ncontent-length: 2\r\n\r\n{}"
    sent = [ASK % (2, b"{}") + wish + b"Content-Length: 2\r\n\r\n{}", plain]
    taken, refused = read_requests(sent)
    assert not refused
    assert [target for _, target, *_ in taken.requests] == [b"/v1/completions", b"/two", b"/two"]


def test_who_says_something_new_each_time_is_looked_at_seldom() -> None:
    taken = Taken()
    reader, _ = reader_of(taken)
    learned = 0
    for number in range(100):
        data = (ASK % (2, b"{}")).replace(b"X-One: 1", b"X-One: %d" % (number + 1000))
        reader.feed(data)
        learned += reader._repeating.match(data) is not None
        reader._repeating._in_vain = number + 1
    assert 4 <= learned <= 12
    assert len(taken.requests) == 100


@st.composite
def changed(draw: Any) -> tuple[bytes, bytes]:
    """A good request, and the same with a few bytes changed."""
    target, sent = draw(targets), draw(headers)
    lines = [b"POST %b HTTP/1.1" % target, b"Host: a"]
    lines += [name + b": " + value for name, value in sent]
    lines.insert(draw(st.integers(1, len(lines))), b"Content-Length: 5")
    good = b"\r\n".join(lines) + b"\r\n\r\n12345"
    data = bytearray(good)
    for _ in range(draw(st.integers(0, 2))):
        near = [data.find(b"Content-Length"), data.find(b"\r\n\r\n"), 0]
        at = max(0, min(len(data), draw(st.sampled_from(near)) + draw(st.integers(-3, 30))))
        gone = draw(st.integers(0, 3))
        data[at : at + gone] = draw(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=3)))
    return good, bytes(data)


@given(changed(), cuts)
@settings(max_examples=400, deadline=None)
def test_what_follows_is_understood_as_by_who_remembers_nothing(
    sent: tuple[bytes, bytes], at: list[int]
) -> None:
    good, data = sent
    expected, expected_refused = in_one([good, data, good])
    taken, refused = read_requests([good, *cut(data + good, at)])
    assert taken.requests == expected.requests
    assert refused == expected_refused


@given(st.lists(bodies, min_size=2, max_size=6), cuts)
@settings(max_examples=100, deadline=None)
def test_bodies_of_all_lengths(sent: list[bytes], at: list[int]) -> None:
    pieces = [ASK % (len(body), body) for body in sent]
    taken, refused = read_requests([pieces[0], *cut(b"".join(pieces[1:]), at)])
    assert not refused
    assert [body for *_, body in taken.requests] == sent


class Choosy(Taken):
    """Lets in until it does not."""

    refuses = False

    def head_came(self, head: Any) -> Any:
        if self.refuses:
            raise SparkwellError("Not any more.")
        return super().head_came(head)


def test_everyone_is_asked_at_the_door_again() -> None:
    taken = Choosy()
    reader, spied = reader_of(taken)
    reader.feed(ASK % (2, b"{}"))
    taken.refuses = True
    with pytest.raises(SparkwellError, match="Not any more"):
        reader.feed(ASK % (2, b"{}"))
    assert len(taken.requests) == len(spied.fed) == 1


async def test_a_key_that_is_taken_away_is_refused_on_the_same_connection(
    client: Client, around: Around, engine: Engine
) -> None:
    key = Key("k1", "one", b"", "", 0.0)
    around.book.keys = {"sk-sw-one": key, "sk-sw-two": replace(key, id="k2", name="two")}
    data = post(more="Authorization: Bearer sk-sw-one\r\n")
    async with wire(client) as line:
        for _ in range(2):
            await line.say(data)
            assert (await line.answer())[0] == 200
        del around.book.keys["sk-sw-one"]
        await line.say(data)
        assert (await line.answer())[0] == 401
    assert len(engine.asked) == 2
    assert [passage.key for passage in around.turnstile.passages] == [key, key]


async def test_who_asks_for_another_model_in_the_same_words_gets_it(
    client: Client, engine: Engine
) -> None:
    async with wire(client) as line:
        for name in ("qwen3-8b-fp8", "Qwen/Qwen3-8B-FP8", "nobody"):
            await line.say(post(b'{"model": "%b"}' % name.encode()))
            status, _ = await line.answer()
            assert status == (404 if name == "nobody" else 200)
    assert len({asked.headers["X-Request-Id"] for asked in engine.asked}) == 2


# ── answers ─────────────────────────────────────────────────────────────────────────────────


def answered(reader: AnswerReader, *pieces: bytes) -> tuple[int, bytes, bool, bool]:
    reader.begin()
    for piece in pieces:
        reader.feed(piece)
    return reader.status, b"".join(reader.pieces), reader.complete, reader.keep_alive


def answering() -> tuple[AnswerReader, Spied]:
    reader = AnswerReader()
    spied = Spied(reader._parser)
    reader._parser = cast("Any", spied)
    return reader, spied


def test_an_answers_head_that_comes_again_is_not_parsed() -> None:
    reader, spied = answering()
    assert answered(reader, ANSWER % (2, b"ok")) == (200, b"ok", True, True)
    head = reader.head
    assert answered(reader, ANSWER % (3, b"a"), b"b", b"c") == (200, b"abc", True, True)
    assert answered(reader, ANSWER % (0, b"")) == (200, b"", True, True)
    assert reader.head is head
    assert head.headers == [(b"date", b"now"), (b"content-type", b"a/b")]
    assert spied.fed == [ANSWER % (2, b"ok")]
    assert answered(reader, ANSWER % (3, b"ab")) == (200, b"ab", False, False)


def test_what_announces_an_answer_is_not_taken_for_its_head() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: a\r\ncontent-length: 5\r\nx: y\r\n\r\n"
    reader, _ = answering()
    for _ in range(2):
        assert answered(reader, early + ANSWER % (2, b"ok")) == (200, b"ok", True, True)


def test_more_than_was_asked_for_ends_the_connection() -> None:
    for extra in (b"x", b"\r\n", ANSWER % (2, b"no")):
        reader, _ = answering()
        answered(reader, ANSWER % (2, b"ok"))
        assert answered(reader, ANSWER % (2, b"ok") + extra) == (200, b"ok", True, False)


@given(st.integers(0, 80), st.integers(0, 3), st.binary(max_size=3), cuts)
@settings(max_examples=300, deadline=None)
def test_a_later_answer_is_understood_as_a_first_one(
    at: int, gone: int, put: bytes, cuts_at: list[int]
) -> None:
    known, data = ANSWER % (5, b"12345"), bytearray(ANSWER % (5, b"12345"))
    data[at : at + gone] = put
    reader = AnswerReader()
    read_answer([known], reader)
    pieces = cut(bytes(data), cuts_at)
    assert read_answer(pieces, reader) == read_answer(pieces)
