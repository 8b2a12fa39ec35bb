"""What has to be there before other machines reach the port."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from sparkwell.app.listener.exposure import (
    addresses_of,
    asks_for_keys,
    is_beyond_loopback,
    names_beside,
    open_to_all,
    own_names,
    refuse_to_expose,
    reminder,
    rules_of,
    search_domains,
)
from sparkwell.app.settings.config import GatewaySettings
from sparkwell.core.errors import EnvironmentFault, UsageError
from sparkwell.gateway.keys.book import Book
from sparkwell.gateway.keys.seam import Standing

NAMES = {"spark": ["127.0.1.1"], "lan": ["192.168.1.4"], "both": ["127.0.0.1", "192.168.1.4"]}
HERE = ["127.0.0.1", "127.0.1.1", "::1", "localhost", "spark"]
BEYOND = ["", "0.0.0.0", "::", "192.168.1.4", "fe80::1", "lan", "both", "nobody.example"]
ALL: tuple[Standing, ...] = ("none", "some", "broken")


def resolver(host: str) -> Iterable[str]:
    """Names as above, nothing for unknown ones; numbers and localhost as the system has them."""
    if host in NAMES:
        return NAMES[host]
    return [] if host.endswith(".example") else addresses_of(host)


@pytest.mark.parametrize("host", HERE)
@pytest.mark.parametrize("standing", ALL)
def test_loopback_needs_no_key(host: str, standing: Standing) -> None:
    refuse_to_expose(GatewaySettings(host=host), standing, resolver)


@pytest.mark.parametrize("host", BEYOND)
def test_any_other_address_needs_one(host: str) -> None:
    gateway = GatewaySettings(host=host)
    refuse_to_expose(gateway, "some", resolver)
    with pytest.raises(UsageError) as caught:
        refuse_to_expose(gateway, "none", resolver)
    assert ":8000" in caught.value.message
    assert "sparkwell keys add NAME" in (caught.value.hint or "")
    assert "gateway.auth: none" in (caught.value.hint or "")
    with pytest.raises(EnvironmentFault, match="cannot be read"):
        refuse_to_expose(gateway, "broken", resolver)


@pytest.mark.parametrize("host", [*HERE, *BEYOND])
@pytest.mark.parametrize("standing", ALL)
def test_who_says_none_by_name_is_reminded_and_not_refused(host: str, standing: Standing) -> None:
    gateway = GatewaySettings(host=host, auth="none")
    refuse_to_expose(gateway, standing, resolver)
    assert "without a key" in (reminder(gateway) or "")
    assert open_to_all(gateway) is not None


def test_with_keys_there_is_nothing_to_remind_of() -> None:
    gateway = GatewaySettings(host="0.0.0.0")
    assert reminder(gateway) is None
    assert open_to_all(gateway) is None


def test_addresses_are_written_as_people_write_them() -> None:
    assert open_to_all(GatewaySettings(host="::1", port=81, auth="none")) == "[::1]:81"
    assert open_to_all(GatewaySettings(host="", auth="none")) == "0.0.0.0:8000"


def test_the_system_is_asked_about_names() -> None:
    assert not is_beyond_loopback("127.1")  # which the resolver reads as 127.0.0.1
    assert is_beyond_loopback("0")
    assert addresses_of("no such host\0") == []
    assert addresses_of("x" * 300) == []


def test_the_rules_are_those_of_the_settings(etc: Path) -> None:
    settings = GatewaySettings(
        host="192.168.1.4",
        names=("llm.example",),
        cors_origins=("https://chat.example",),
        auth="none",
    )
    rules = rules_of(settings, etc)
    assert rules.open_to_all
    assert rules.origins == {"https://chat.example"}
    assert rules.names == {
        "spark-1",
        "spark-1.local",
        "spark-1.fritz.box",
        "spark-1.tail1.ts.net",
        "spark-1.home.example",
        "192.168.1.4",
        "llm.example",
    }


def test_a_long_name_is_known_alone_as_well(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Spark-1.Home.Example")
    names = own_names(GatewaySettings(host=""), etc)
    assert {"spark-1", "spark-1.local", "spark-1.home.example"} <= names
    assert "" not in names


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a machine called spark-1."""
    monkeypatch.setattr("socket.gethostname", lambda: "spark-1")
    (tmp_path / "resolv.conf").write_text(
        "# search no\nnameserver 10.0.0.1\nsearch Fritz.Box tail1.ts.net. # yes\n"
    )
    (tmp_path / "hosts").write_text(
        "127.0.0.1 localhost\n127.0.1.1\tSpark-1.Home.Example spark-1\n"
        "0.0.0.0 ads.example\n# 10.0.0.9 spark-1 old.example\n10.0.0.7\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("text", "domains"),
    [
        ("", ()),
        ("search\n", ()),
        ("search .\n", ()),
        ("domain lan\nsearch a b lan\n", ("lan", "a", "b")),
        ("nameserver search.example\nsearching x\n", ()),
    ],
)
def test_domains_of_short_names(tmp_path: Path, text: str, domains: tuple[str, ...]) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(text)
    assert search_domains(file) == domains


def test_a_machine_that_no_file_names_has_its_own_name_alone(tmp_path: Path) -> None:
    assert search_domains(tmp_path / "none") == ()
    assert search_domains(tmp_path) == ()
    assert names_beside("spark-1", tmp_path / "none") == ()
    (tmp_path / "hosts").write_bytes(b"127.0.0.1 localhost \xff\xfe\n")
    assert names_beside("spark-1", tmp_path / "hosts") == ()


@pytest.mark.parametrize(
    ("auth", "standing", "keyed"),
    [
        ("keys", "none", False), ("keys", "some", True), ("keys", "broken", True),
        ("none", "some", False), ("none", "none", False),
    ],
)  # fmt: skip
def test_whether_models_answer_nobody_without_a_key(
    auth: Any, standing: Standing, keyed: bool
) -> None:
    book = Book()
    asks = asks_for_keys(GatewaySettings(auth=auth), book)
    book.use((), standing)
    assert asks() is keyed
