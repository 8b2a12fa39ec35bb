"""Bytes of all kinds into the wire's parsers: refused or understood, and always in one way."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.security.test_framing import EITHER, REFUSED
from tests.unit.gateway.wire_reading import can_be_sent_on, cut, read_answer, read_requests

TOKENS = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b":", b";", b",", b"/", b"?", b"%2e", b"..", b"\x80",
    b"GET ", b"POST ", b"HEAD ", b"OPTIONS ", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"\r\n\r\n",
    b"Host: a\r\n", b"Content-Length: ", b"Transfer-Encoding: ", b"chunked", b"identity", b"gzip",
    b"Connection: ", b"close", b"keep-alive", b"Upgrade", b"Upgrade: h2c\r\n", b"Expect: 100-",
    b"0", b"1", b"5", b"a", b"f", b"0x", b"+", b"-", b"18446744073709551616", b"0\r\n\r\n", b"{}",
    b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
]  # fmt: skip
ANSWERS = [
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 100 x\r\n\r\n", b"HTTP/1.1 204 \r\n",
    b"HTTP/1.1 304 x\r\n", b"HTTP/1.1 101 x\r\n", b"HTTP/1.1 2", b"Content-Type: text/plain\r\n",
]  # fmt: skip
KNOWN = [*REFUSED.values(), *EITHER.values()]

cuts = st.lists(st.integers(0, 2**16), max_size=6)
noise = st.lists(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=4)), max_size=24).map(
    b"".join
)
replies = st.lists(
    st.one_of(st.sampled_from(ANSWERS + TOKENS), st.binary(max_size=4)), max_size=16
).map(b"".join)


@st.composite
def mutated(draw: Any) -> bytes:
    """A request that is known to be doubtful, or nearly, with a few bytes changed."""
    data = bytearray(draw(st.sampled_from(KNOWN)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        gone = draw(st.integers(0, 3))
        data[at : at + gone] = draw(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=3)))
    return bytes(data)


methods = st.sampled_from(["GET", "POST", "DELETE", "PUT"])
targets = st.text("abz019/._-~?=&%", max_size=40).map(lambda text: b"/" + text.encode())
names = st.text("abcxyzABCXYZ019-_!#$%&'*+.^`|~", min_size=1, max_size=20).map(
    lambda text: b"x-" + text.encode()
)
values = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40
).map(lambda text: text.strip(" \t").encode("latin-1"))
headers = st.lists(st.tuples(names, values), max_size=8)
bodies = st.binary(max_size=300)


@st.composite
def requests(draw: Any) -> tuple[bytes, tuple[str, bytes, bytes]]:
    """A request without doubt, as bytes and as it should be understood."""
    method, target, body = draw(methods), draw(targets), draw(bodies)
    sent = [method.encode() + b" " + target + b" HTTP/1.1", b"Host: a"]
    sent += [name + b":" + draw(st.sampled_from([b"", b" ", b"\t "])) + value
             for name, value in draw(headers)]  # fmt: skip
    if draw(st.booleans()):
        sent.append(b"Transfer-Encoding: chunked")
        framed = b"".join(b"%x\r\n%b\r\n" % (len(each), each)
                          for each in cut(body, draw(cuts)) if each) + b"0\r\n\r\n"  # fmt: skip
    else:
        sent.append(b"Content-Length: %d" % len(body))
        framed = body
    return b"\r\n".join(sent) + b"\r\n\r\n" + framed, (method, target, body)


@given(st.one_of(noise, mutated()), cuts)
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_however_bytes_are_cut_they_are_understood_in_one_way(data: bytes, at: list[int]) -> None:
    whole, refused = read_requests([data])
    can_be_sent_on(whole)
    pieces, refused_too = read_requests(cut(data, at))
    assert pieces.requests == whole.requests
    assert refused_too == refused


@given(st.lists(requests(), max_size=4), cuts)
@settings(max_examples=120, deadline=None)
def test_good_requests_are_understood_as_they_were_meant(
    sent: list[tuple[bytes, tuple[str, bytes, bytes]]], at: list[int]
) -> None:
    taken, refused = read_requests(cut(b"".join(data for data, _ in sent), at))
    assert not refused
    can_be_sent_on(taken)
    assert [(one[0], one[1], one[3]) for one in taken.requests] == [meant for _, meant in sent]


@pytest.mark.parametrize("name", REFUSED)
def test_a_doubtful_request_gives_nothing_wherever_it_is_cut(name: str) -> None:
    data = REFUSED[name]
    for at in range(0, len(data), 7):
        taken, refused = read_requests([data[:at], data[at:]])
        assert taken.requests == []
    if name != "CL over 63 bits":  # that one waits for its body: its length is refused at the door
        assert refused


@given(replies, cuts)
@settings(max_examples=200, deadline=None)
def test_an_answer_is_understood_in_one_way(data: bytes, at: list[int]) -> None:
    assert read_answer(cut(data, at)) == read_answer([data])
