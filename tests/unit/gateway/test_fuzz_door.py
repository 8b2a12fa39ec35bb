"""Hosts, origins, ids and values of all kinds at the gateway's door."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from sparkwell.core.errors import SparkwellError
from sparkwell.core.hosts import host_name, is_from_here, is_loopback, is_loopback_host, is_ours
from sparkwell.gateway.access import Door, Rules, tells_of_a_proxy
from sparkwell.gateway.caller import Caller, Room
from sparkwell.gateway.headers import encoded, fields, request_id
from sparkwell.gateway.keys.book import Book
from sparkwell.gateway.wire.head import lines

odd = st.text(st.characters(max_codepoint=0x2FF), max_size=40)
near = st.lists(
    st.sampled_from(
        ["localhost", "127.0.0.1", "[::1]", "evil", ".example", ":", "8000", "@", "#", "/", "%00",
         " ", ",", "\t", "[", "]", ".", "http://", "https://", "null", "::ffff:", "0x7f", "\\"]
    ),
    max_size=5,
).map("".join)  # fmt: skip
texts = st.one_of(odd, near)

DIRECT = Caller(
    method="POST",
    path="/v1/completions",
    peer="127.0.0.1",
    host="localhost:8000",
    media_type="application/json",
)
OURS = ("http://localhost:8000", None)


def admits(caller: Caller) -> bool:
    try:
        Door(Book(), Rules()).check(caller, Room.API)
    except SparkwellError as error:
        return error.http_status not in (401, 403, 415, 421)
    return True


def test_a_direct_one_comes_in() -> None:
    assert admits(DIRECT)


@given(texts)
@settings(max_examples=250)
def test_only_loopback_s_names_open_the_door(host: str) -> None:
    if admits(replace(DIRECT, host=host)):
        name = host_name(host)
        assert name is not None
        assert "evil" not in name or name.endswith(".localhost")
        known = name in ("localhost", "0.0.0.0") or name.endswith(".localhost")
        assert known or name.startswith("127.") or ":" in name
    assert not is_loopback_host(host) or is_ours(host, ())


@given(texts)
@settings(max_examples=150)
def test_only_our_own_origin_opens_the_door(origin: str) -> None:
    if admits(replace(DIRECT, origin=origin)):
        assert origin.lower().partition("://")[2].rstrip("/?#").startswith("localhost:8000")


@given(texts)
@settings(max_examples=150)
def test_only_loopback_s_addresses_open_the_door(peer: str) -> None:
    if admits(replace(DIRECT, peer=peer)):
        assert is_loopback(peer)
        assert peer.startswith(("127.", "::1", "0", "::ffff:", "::"))


@given(texts)
@settings(max_examples=150)
def test_only_json_opens_the_door(kind: str) -> None:
    if admits(replace(DIRECT, media_type=kind)):
        assert kind == "application/json"


@given(texts, texts, texts)
def test_nothing_of_it_raises(host: str, origin: str, site: str) -> None:
    is_from_here(origin, site, host)
    assert is_ours(host, ()) in (True, False)


@given(st.text(st.characters(codec="ascii"), max_size=30))
def test_every_x_forwarded_header_tells_of_a_proxy(rest: str) -> None:
    assert tells_of_a_proxy({b"host", b"x-forwarded-" + rest.lower().encode()})


@given(st.one_of(st.none(), st.binary(max_size=200)))
@settings(max_examples=150)
def test_a_request_id_is_one_visible_word(given_id: bytes | None) -> None:
    made = request_id(given_id)
    assert 1 <= len(made) <= 128
    assert all(0x21 <= byte <= 0x7E for byte in made)


@given(st.dictionaries(st.sampled_from(["x-sparkwell-model"]), st.text(max_size=60)))
@settings(max_examples=150)
def test_no_value_of_ours_ends_its_line(headers: dict[str, str]) -> None:
    for _, value in encoded(headers):
        assert not set(value) & set(b"\r\n\0")


@given(st.lists(st.text(max_size=20), max_size=4))
def test_fields_are_written_in_one_way(values: list[str]) -> None:
    headers = {f"x-{number}": value for number, value in enumerate(values)}
    assert fields(headers) == lines(encoded(headers))
