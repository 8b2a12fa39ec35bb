"""One-time links, sessions, host names, origins, and the delay after wrong keys."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.core.errors import TooBusyError
from sparkwell.core.hosts import is_from_here, is_ours
from sparkwell.web.access import (
    IDLE_LIFE_S,
    LIFE_S,
    LINKS,
    SESSIONS,
    OneTimeLinks,
    Sessions,
    cookie_name,
)
from sparkwell.web.throttle import LONGEST_DELAY_S, LONGEST_WAIT_S, PLACES, Throttle, delay_s


class Clock:
    """A clock that stands until it is moved; its sleep moves it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


def test_a_link_works_once() -> None:
    links = OneTimeLinks()
    token = links.make()
    assert not links.take("another")
    assert links.take(token)
    assert not links.take(token)


def test_a_link_expires() -> None:
    clock = Clock()
    links = OneTimeLinks(clock, life_s=600.0)
    token = links.make()
    clock.now += 600.0
    assert not links.take(token)


def test_old_links_give_way() -> None:
    links = OneTimeLinks()
    first, *rest = [links.make() for _ in range(LINKS + 1)]
    assert not links.take(first)
    assert all(map(links.take, rest))


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost:8000", "sparkwell_session_8000"),
        ("[::1]:8001", "sparkwell_session_8001"),
        ("[::1]", "sparkwell_session"),
        ("spark.local", "sparkwell_session"),
        ("127.0.0.1", "sparkwell_session"),
        ("h:80;x=1", "sparkwell_session"),
        ("h:\N{ARABIC-INDIC DIGIT ONE}", "sparkwell_session"),
        ("", "sparkwell_session"),
        (None, "sparkwell_session"),
    ],
)
def test_the_cookie_has_the_port_in_its_name(host: str | None, name: str) -> None:
    assert cookie_name(host) == name


def test_a_session_ends_when_idle_and_when_old() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    value, session = sessions.begin()
    clock.now += IDLE_LIFE_S
    assert sessions.of(value) is session
    clock.now += IDLE_LIFE_S + 1
    assert sessions.of(value) is None
    value, _ = sessions.begin()
    for _ in range(int(LIFE_S // IDLE_LIFE_S)):
        clock.now += IDLE_LIFE_S
        assert sessions.of(value)
    clock.now += IDLE_LIFE_S
    assert sessions.of(value) is None


def test_sessions_are_bounded_and_the_oldest_go() -> None:
    sessions = Sessions()
    first, *rest = [sessions.begin()[0] for _ in range(SESSIONS + 1)]
    assert sessions.of(first) is None
    assert all(map(sessions.of, rest))


def test_sign_out_ends_one_session() -> None:
    sessions = Sessions()
    one, other = sessions.begin()[0], sessions.begin()[0]
    sessions.end(one)
    sessions.end(None)
    assert sessions.of(one) is None
    assert sessions.of(other)


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost:8000", True),
        ("LOCALHOST", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("192.168.1.7:8000", True),
        ("ui.localhost", True),
        ("spark.local:8000", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
        (None, False),
        ("[::1", False),
        ("a@localhost.evil.example", False),
    ],
)
def test_hosts(host: str | None, ours: bool) -> None:
    assert is_ours(host, {"spark.local"}) is ours


@given(st.text(max_size=40))
def test_no_host_raises(host: str) -> None:
    is_ours(host, ())


@pytest.mark.parametrize(
    ("origin", "site", "from_here"),
    [
        (None, None, True),
        ("http://localhost:8000", "same-origin", True),
        ("http://localhost:8000", None, True),
        (None, "none", True),
        ("http://localhost:9000", None, False),
        ("http://evil.example", None, False),
        ("null", None, False),
        ("http://localhost:8000", "cross-site", False),
        (None, "same-site", False),
    ],
)
def test_origins(origin: str | None, site: str | None, from_here: bool) -> None:
    assert is_from_here(origin, site, "localhost:8000") is from_here


def test_delays_grow_and_end() -> None:
    delays = [delay_s(count) for count in range(200)]
    assert delays[:3] == [0.0, 0.0, 0.0]
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_DELAY_S


async def test_wrong_keys_wait_longer_and_others_do_not() -> None:
    clock = Clock()
    throttle = Throttle(clock, clock.sleep)
    for _ in range(5):
        await throttle.turn("10.0.0.1")
        throttle.failed("10.0.0.1")
        clock.now += clock.slept[-1] if clock.slept else 0.0
    assert clock.slept == sorted(clock.slept)
    assert clock.slept[-1] > 1.0
    before = len(clock.slept)
    await throttle.turn("10.0.0.2")
    assert len(clock.slept) == before


async def test_many_at_once_are_not_quicker() -> None:
    clock = Clock()
    throttle = Throttle(clock, clock.sleep)

    async def attempt() -> None:
        await throttle.turn("10.0.0.1")
        throttle.failed("10.0.0.1")

    results = await asyncio.gather(*(attempt() for _ in range(200)), return_exceptions=True)
    refused = [each for each in results if isinstance(each, TooBusyError)]
    assert len(refused) > 180
    assert max(clock.slept) <= LONGEST_WAIT_S
    assert refused[0].retry_after_s


async def test_a_right_key_forgets_and_the_table_is_bounded() -> None:
    clock = Clock()
    throttle = Throttle(clock, clock.sleep)
    for _ in range(8):
        throttle.failed("2001:db8::1")
    throttle.succeeded("2001:db8::ffff")  # the same /64
    await throttle.turn("2001:db8::1")
    assert not clock.slept
    for number in range(3 * PLACES):
        throttle.failed(f"10.{number // 65536}.{number // 256 % 256}.{number % 256}")
    assert len(throttle._places) <= PLACES
