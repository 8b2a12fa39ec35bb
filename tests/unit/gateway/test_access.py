"""Who may come in."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sparkwell.core.errors import SparkwellError
from sparkwell.core.keys import Key
from sparkwell.gateway.access import Door, Rules, tells_of_a_proxy
from sparkwell.gateway.access_errors import (
    ForeignPageError,
    InvalidKeyError,
    KeysUnreadableError,
    MediaTypeError,
    UnknownHostError,
)
from sparkwell.gateway.caller import Caller, Room
from sparkwell.gateway.keys.seam import Standing

SECRET = "sk-sw-right"
KEY = Key("key-1", "somebody", b"digest", "ight", 0.0)
OWN_SECRET = "sk-sw-own"
OWN = Key("own", "(this machine)", b"", "", 0.0)
RULES = Rules(names=frozenset({"spark", "spark.local"}))
OPEN = replace(RULES, open_to_all=True)
ALL: tuple[Standing, ...] = ("none", "some", "broken")


class RevokedError(SparkwellError):
    """As the book's KeyRefusedError."""

    http_status = 401


@dataclass(frozen=True)
class Book:
    standing: Standing = "none"

    def of(self, secret: str) -> Key | None:
        if self.standing == "none":  # but for the machine's own there is none
            return OWN if secret == OWN_SECRET else None
        assert self.standing == "some", "nobody asks a book that is broken"
        if secret == "sk-sw-revoked":
            raise RevokedError("This key was revoked.")
        return KEY if secret == SECRET else None


DIRECT = Caller(
    method="POST",
    path="/v1/chat/completions",
    peer="127.0.0.1",
    host="127.0.0.1:8000",
    media_type="application/json",
)
PAGE = replace(DIRECT, method="GET", path="/metrics", media_type=None)
OWN_PAGE = {"origin": "http://127.0.0.1:8000", "site": "same-origin", "mode": "cors"}


def door(standing: Standing = "none", rules: Rules = RULES) -> Door:
    return Door(Book(standing), rules)


def come(caller: Caller, standing: Standing = "none", room: Room = Room.API) -> Key | None:
    return door(standing).check(caller, room)


# ── without keys ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"peer": None},  # a Unix socket
        {"peer": "::1", "host": "[::1]:8000"},
        {"peer": "::ffff:127.0.0.1", "host": "localhost:8000"},
        {"peer": "127.0.1.1", "host": "LocalHost"},
        {"host": "0.0.0.0:8000"},
        {"secret": "not-needed"},
        {"secret": SECRET},  # of another machine
        OWN_PAGE,
        {"site": "none", "mode": "navigate"},
        {"method": "GET", "path": "/v1/models", "media_type": None},
    ],
)
def test_a_direct_program_of_this_machine_needs_no_key(more: dict[str, Any]) -> None:
    assert come(replace(DIRECT, **more)) is None


def test_a_page_of_ours_comes_in_by_the_machines_own_key_also_through_a_proxy() -> None:
    caller = replace(DIRECT, secret=OWN_SECRET, forwarded=True, host="spark.example")
    assert come(caller) is OWN


STRANGERS: list[tuple[dict[str, Any], type[SparkwellError]]] = [
    ({"peer": "192.168.1.9"}, InvalidKeyError),
    ({"peer": "::ffff:192.168.1.9"}, InvalidKeyError),
    ({"peer": "fe80::1%eth0"}, InvalidKeyError),
    ({"peer": ""}, InvalidKeyError),
    ({"forwarded": True}, InvalidKeyError),
    ({"host": None}, UnknownHostError),
    ({"host": "evil.example"}, UnknownHostError),
    ({"host": "spark.local:8000"}, UnknownHostError),
    ({"host": "192.168.1.4:8000"}, UnknownHostError),
    ({"host": "localhost@evil.example"}, UnknownHostError),
    ({"origin": "http://evil.example", "mode": "cors"}, ForeignPageError),
    ({"origin": "http://localhost:3000", "host": "localhost:8000"}, ForeignPageError),
    ({"origin": "null"}, ForeignPageError),
    ({"site": "cross-site", "mode": "no-cors"}, ForeignPageError),
    ({"site": "same-site", "mode": "navigate"}, ForeignPageError),  # a form that posts
    ({"media_type": None}, MediaTypeError),
    ({"media_type": "text/plain"}, MediaTypeError),
    ({"media_type": "application/x-www-form-urlencoded"}, MediaTypeError),
]


@pytest.mark.parametrize(("more", "error"), STRANGERS)
def test_anything_else_is_refused(more: dict[str, Any], error: type[SparkwellError]) -> None:
    with pytest.raises(error) as caught:
        come(replace(DIRECT, **more))
    assert caught.value.hint


def test_a_link_that_somebody_clicked_shows_what_a_script_may_not_ask() -> None:
    clicked = replace(PAGE, path="/v1/models", site="cross-site", mode="navigate")
    assert come(clicked) is None
    with pytest.raises(ForeignPageError):
        come(replace(clicked, mode="no-cors"))
    with pytest.raises(UnknownHostError):  # and another name for this machine shows nothing
        come(replace(clicked, host="evil.example"))


def test_pages_that_the_settings_name_are_ours() -> None:
    named = Door(Book(), replace(RULES, origins=frozenset({"https://chat.example"})))
    asks = replace(DIRECT, origin="https://chat.example", site="cross-site", mode="cors")
    assert named.check(asks, Room.API) is None
    with pytest.raises(ForeignPageError):
        named.check(replace(asks, origin="https://other.example"), Room.API)


# ── with keys ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"peer": "192.168.1.9", "host": "spark:8000"},
        {"forwarded": True, "host": "llm.example"},
        {"origin": "app://obsidian.md"},
        {"media_type": None},
    ],
)
def test_a_right_key_is_enough(more: dict[str, Any]) -> None:
    caller = replace(DIRECT, secret=SECRET, **more)
    assert come(caller, "some") is KEY
    assert come(caller, "some", Room.PAGES) is (None if not more or "media_type" in more else KEY)


@pytest.mark.parametrize("secret", [None, "", "sk-sw-wrong", "not-needed"])
def test_once_there_are_keys_this_machine_needs_one_too(secret: str | None) -> None:
    with pytest.raises(InvalidKeyError) as caught:
        come(replace(DIRECT, secret=secret), "some")
    assert ("has none" in caught.value.message) == (not secret)


def test_a_revoked_key_is_refused_in_the_books_own_words() -> None:
    with pytest.raises(RevokedError):
        come(replace(DIRECT, secret="sk-sw-revoked"), "some")


@pytest.mark.parametrize("secret", [None, SECRET])
def test_keys_that_cannot_be_read_let_nobody_in(secret: str | None) -> None:
    with pytest.raises(KeysUnreadableError) as caught:
        come(replace(DIRECT, secret=secret), "broken")
    assert caught.value.http_status == 503
    assert "sparkwell keys" in (caught.value.hint or "")


# ── everybody ───────────────────────────────────────────────────────────────────────────────

ELSEWHERE = replace(DIRECT, peer="192.168.1.9", host="spark.local:8000", secret="not-needed")


@pytest.mark.parametrize("standing", ALL)
@pytest.mark.parametrize(
    "more", [{}, {"forwarded": True}, {"secret": None}, {"host": "host.docker.internal:8000"}]
)
def test_with_auth_none_everybody_is_served(standing: Standing, more: dict[str, Any]) -> None:
    caller = replace(ELSEWHERE, **more)
    assert door(standing, OPEN).check(caller, Room.API) is None
    assert door(standing, OPEN).check(replace(caller, method="GET"), Room.PAGES) is None


def test_with_auth_none_a_right_key_is_known_all_the_same() -> None:
    asks = replace(ELSEWHERE, secret=SECRET)
    assert door("some", OPEN).check(asks, Room.API) is KEY
    with pytest.raises(RevokedError):
        door("some", OPEN).check(replace(asks, secret="sk-sw-revoked"), Room.API)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"host": "evil.example"}, UnknownHostError),
        ({"host": None}, UnknownHostError),
        ({"origin": "http://evil.example"}, ForeignPageError),
        ({"media_type": "text/plain"}, MediaTypeError),
    ],
)
@pytest.mark.parametrize("standing", ALL)
def test_with_auth_none_pages_of_others_are_not_everybody(
    standing: Standing, more: dict[str, Any], error: type[SparkwellError]
) -> None:
    with pytest.raises(error):
        door(standing, OPEN).check(replace(ELSEWHERE, **more), Room.API)


# ── the other rooms ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("standing", ALL)
def test_pages_are_open_to_this_machine_whatever_the_keys(standing: Standing) -> None:
    assert come(PAGE, standing, Room.PAGES) is None
    assert door(standing).may_see(PAGE)


def test_pages_of_another_machine_need_a_key() -> None:
    away = replace(PAGE, peer="192.168.1.9", host="spark:8000")
    with pytest.raises(InvalidKeyError, match="no keys yet"):
        come(away, "none", Room.PAGES)
    with pytest.raises(KeysUnreadableError):
        come(away, "broken", Room.PAGES)
    with pytest.raises(InvalidKeyError, match="has none"):
        come(away, "some", Room.PAGES)
    with pytest.raises(InvalidKeyError, match="not known"):
        come(replace(away, secret="sk-sw-wrong"), "some", Room.PAGES)
    assert come(replace(away, secret=SECRET), "some", Room.PAGES) is KEY
    assert not door("some").may_see(away)
    assert door("some").may_see(replace(away, secret=SECRET))


@pytest.mark.parametrize("standing", ALL)
def test_a_foreign_page_reads_no_page(standing: Standing) -> None:
    with pytest.raises(ForeignPageError):
        come(replace(PAGE, origin="http://evil.example"), standing, Room.PAGES)
    with pytest.raises(UnknownHostError):
        come(replace(PAGE, host="evil.example"), standing, Room.PAGES)


@pytest.mark.parametrize("standing", ALL)
def test_health_is_open_and_tells_strangers_little(standing: Standing) -> None:
    stranger = replace(PAGE, peer="192.168.1.9", host="evil.example", forwarded=True)
    assert come(stranger, standing, Room.HEALTH) is None
    assert not door(standing).may_see(stranger)


@pytest.mark.parametrize("room", [Room.UI, Room.ADMIN])
@pytest.mark.parametrize("standing", ALL)
def test_rooms_with_a_sign_in_look_at_names_alone(room: Room, standing: Standing) -> None:
    away = replace(PAGE, peer="192.168.1.9", host="spark.local:8000", forwarded=True)
    assert come(away, standing, room) is None
    with pytest.raises(UnknownHostError):
        come(replace(away, host="evil.example"), standing, room)
    posts = replace(away, method="POST", origin="http://spark.local:8000", site="same-origin")
    assert come(posts, standing, room) is None
    foreign = replace(posts, origin="http://evil.example", site="cross-site")
    for each in (RULES, replace(RULES, origins=frozenset({"http://evil.example"}))):
        with pytest.raises(ForeignPageError, match="nothing was done"):
            door(standing, each).check(foreign, room)


# ── every combination ───────────────────────────────────────────────────────────────────────

HOSTS = st.sampled_from(
    [
        "127.0.0.1:8000",
        "localhost",
        "[::1]:8000",
        "spark.local",
        "evil.example",
        "10.0.0.1",
        "",
        None,
    ]
) | st.text(max_size=20)
CALLERS = st.builds(
    Caller,
    method=st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"]),
    path=st.sampled_from(["/v1/chat/completions", "/v1/models", "/metrics"]),
    peer=st.sampled_from([None, "127.0.0.1", "::1", "10.0.0.1", "::ffff:10.0.0.1", "", "x"]),
    host=HOSTS,
    origin=st.sampled_from(
        [None, "http://127.0.0.1:8000", "http://localhost", "http://evil.example", "null", ""]
    ),
    site=st.sampled_from([None, "same-origin", "none", "same-site", "cross-site", "x"]),
    mode=st.sampled_from([None, "cors", "no-cors", "navigate", "x"]),
    forwarded=st.booleans(),
    secret=st.sampled_from([None, "", "not-needed", "sk-sw-wrong"]) | st.text(max_size=8),
    media_type=st.sampled_from([None, "application/json", "text/plain", ""]),
)


def refused(
    caller: Caller, standing: Standing, room: Room, rules: Rules = RULES
) -> SparkwellError | None:
    try:
        door(standing, rules).check(caller, room)
    except SparkwellError as error:
        return error
    return None


@given(CALLERS, st.sampled_from(ALL))
def test_nobody_from_elsewhere_comes_in_without_a_key(caller: Caller, standing: Standing) -> None:
    assume(caller.secret != SECRET)
    rooms = [room for room in (Room.API, Room.PAGES) if not refused(caller, standing, room)]
    if not rooms:
        return
    assert caller.peer in (None, "127.0.0.1", "::1")
    assert not caller.forwarded
    assert caller.host is not None
    assert "evil" not in caller.host
    assert caller.host not in ("spark.local", "10.0.0.1", "")
    assert caller.origin in (None, f"http://{caller.host}") or caller.mode == "navigate"
    assert caller.site in (None, "same-origin", "none") or caller.mode == "navigate"
    if Room.API in rooms:
        assert standing == "none"
        assert caller.method != "POST" or caller.media_type == "application/json"


@given(CALLERS, st.sampled_from(ALL))
def test_no_foreign_page_comes_in_where_everybody_is_served(
    caller: Caller, standing: Standing
) -> None:
    foreign = caller.host == "evil.example" or caller.origin in ("http://evil.example", "null", "")
    clicked = caller.method == "GET" and caller.mode == "navigate" and caller.host != "evil.example"
    if foreign and not clicked:
        assert refused(caller, standing, Room.API, OPEN)


@given(CALLERS, st.sampled_from(list(Room)), st.sampled_from(ALL), st.booleans())
def test_who_is_refused_is_told_so_in_words_of_ours(
    caller: Caller, room: Room, standing: Standing, everybody: bool
) -> None:
    refusal = refused(caller, standing, room, OPEN if everybody else RULES)
    if refusal is not None:
        assert refusal.http_status in (401, 403, 415, 421, 503)
        assert len(str(refusal)) < 500
        assert str(refusal).isprintable()


@given(st.lists(st.sampled_from([b"host", b"user-agent", b"content-type", b"x-forward", b"from"])))
def test_usual_headers_tell_of_no_proxy(names: list[bytes]) -> None:
    assert not tells_of_a_proxy(names)


@pytest.mark.parametrize(
    "name",
    [b"forwarded", b"via", b"x-real-ip", b"x-forwarded-for", b"x-forwarded", b"x-forwarded-proto",
     b"x-forwarded-anything", b"cf-connecting-ip", b"tailscale-user-login"],
)  # fmt: skip
def test_what_proxies_add_tells_of_one(name: bytes) -> None:
    assert tells_of_a_proxy([b"host", name, b"accept"])
    assert tells_of_a_proxy({name: b""})
