"""What browsers are told of pages of other hosts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.gateway.cors import answer_headers, preflight_headers

CHAT = "https://chat.example"
ALLOWED = frozenset({CHAT, "http://localhost:3000"})


@given(st.none() | st.text(), st.none() | st.text(), st.none() | st.text())
def test_nothing_is_allowed_where_no_origin_is_named(
    origin: str | None, method: str | None, names: str | None
) -> None:
    assert answer_headers(origin, ()) == []
    assert preflight_headers(origin, method, names, ()) is None


def test_an_origin_that_is_named_may_read_the_answer() -> None:
    headers = dict(answer_headers(CHAT, ALLOWED))
    assert headers[b"access-control-allow-origin"] == CHAT.encode()
    assert headers[b"vary"] == b"Origin"
    assert b"x-request-id" in headers[b"access-control-expose-headers"]
    assert b"access-control-allow-credentials" not in headers


@pytest.mark.parametrize("origin", [None, "", "null", "*", f"{CHAT}.evil.example", CHAT.upper()])
def test_another_origin_learns_only_that_answers_differ(origin: str | None) -> None:
    assert answer_headers(origin, ALLOWED) == [(b"vary", b"Origin")]
    assert preflight_headers(origin, "POST", None, ALLOWED) is None


def test_a_preflight_is_told_what_it_asked_for() -> None:
    asked = "authorization, content-type,x-stainless-os"
    headers = dict(preflight_headers(CHAT, "POST", asked, ALLOWED) or ())
    assert headers[b"access-control-allow-origin"] == CHAT.encode()
    assert headers[b"access-control-allow-headers"] == asked.encode()
    assert b"POST" in headers[b"access-control-allow-methods"]


@pytest.mark.parametrize("method", [None, "", "DELETE", "post", "TRACE"])
def test_methods_that_nothing_takes_are_not_allowed(method: str | None) -> None:
    assert preflight_headers(CHAT, method, None, ALLOWED) is None


@given(st.text())
def test_no_header_carries_a_line_of_somebody_elses(names: str) -> None:
    for _, value in preflight_headers(CHAT, "GET", names, ALLOWED) or ():
        assert b"\r" not in value
        assert b"\n" not in value


@pytest.mark.parametrize("names", ["a\r\nset-cookie: x", "a b", "a,,b", "*", "x" * 2000, "ä"])
def test_names_that_are_none_are_not_repeated(names: str) -> None:
    headers = dict(preflight_headers(CHAT, "GET", names, ALLOWED) or ())
    assert b"access-control-allow-headers" not in headers
