"""Which hosts are this machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.core.hosts import (
    LONGEST,
    host_name,
    is_from_here,
    is_loopback,
    is_loopback_host,
    is_ours,
    scheme_asked,
)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost", "localhost"),
        ("LOCALHOST:8000", "localhost"),
        ("localhost.", "localhost"),
        ("localhost:", "localhost"),
        ("127.0.0.1:8000", "127.0.0.1"),
        ("[::1]:8000", "::1"),
        ("[::FFFF:127.0.0.1]", "::ffff:127.0.0.1"),
        ("spark_1.home.example:80", "spark_1.home.example"),
        *[
            (host, None)
            for host in (
                None,
                "",
                ".",
                "::1",
                "user@localhost",
                "localhost/evil.example",
                "localhost#evil",
                "localhost?x",
                "evil.example\\@localhost",
                "localhost, evil.example",
                "localhost\n",
                " localhost",
                "localhost:80a",
                "localhost:123456",
                "[localhost]",
                "[::1",
                "http://localhost",
                "löcalhost",
                "a" * (LONGEST + 1),
            )
        ],
    ],
)
def test_the_name_in_a_host_header(host: str | None, name: str | None) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize(
    "host",
    ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9:1", "[::1]", "[::ffff:127.0.0.1]:8",
     "0.0.0.0:8000", "[::]"],
)  # fmt: skip
def test_hosts_that_are_loopbacks(host: str) -> None:
    assert is_loopback_host(host)
    assert is_ours(host, ())


@pytest.mark.parametrize(
    "host",
    ["localhost.evil.example", "evillocalhost", "127.0.0.1.evil.example", "128.0.0.1", "spark",
     "[::2]", "[::ffff:10.0.0.1]", "2130706433", "0x7f.1", "127.1", "host.docker.internal"],
)  # fmt: skip
def test_hosts_that_are_not(host: str) -> None:
    assert not is_loopback_host(host)


def test_this_machine_is_known_by_names_addresses_and_what_containers_say() -> None:
    names = {"spark", "spark.local"}
    ours = (
        "spark",
        "Spark.Local:8000",
        "spark.",
        "10.0.0.9",
        "[fe80::1]:8",
        "host.docker.internal",
    )
    assert [host for host in ours if not is_ours(host, names)] == []
    foreign = ("evil.example", "spark.evil.example", "localhost@evil.example", None)
    assert [host for host in foreign if is_ours(host, names)] == []


@pytest.mark.parametrize(
    "peer", [None, "127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"]
)
def test_peers_on_this_machine(peer: str | None) -> None:
    assert is_loopback(peer)


@pytest.mark.parametrize(
    "peer", ["", "10.0.0.1", "0.0.0.0", "::", "fe80::1%eth0", "::ffff:10.0.0.1", "localhost", "x"]
)
def test_peers_elsewhere(peer: str) -> None:
    assert not is_loopback(peer)


@pytest.mark.parametrize("origin", ["http://[", "null", "", "//", "http://", "localhost:8000"])
def test_an_origin_that_is_none_is_foreign(origin: str) -> None:
    assert not is_from_here(origin, None, "localhost:8000")
    assert not is_from_here(origin, "same-origin", "localhost:8000")


@given(st.text(), st.text(), st.text())
def test_nothing_that_a_client_sends_breaks_the_questions(a: str, b: str, c: str) -> None:
    is_ours(a, {b})
    is_loopback(a)
    is_loopback_host(b)
    is_from_here(a, b, c)
    assert host_name(a) in (None, (host_name(a) or "").lower())


@pytest.mark.parametrize(
    ("own", "forwarded", "scheme"),
    [
        ("http", None, "http"), (None, None, "http"), ("https", None, "https"),
        ("http", "https", "https"), ("http", " HTTPS , http", "https"),
        ("http", "http, https", "http"), ("http", "javascript", "http"),
        ("https", "http", "https"),
    ],
)  # fmt: skip
def test_the_scheme_that_a_client_used(own: str | None, forwarded: str | None, scheme: str) -> None:
    assert scheme_asked(own, forwarded) == scheme
