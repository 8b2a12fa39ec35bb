"""Which addresses are this machine's."""

import socket

import pytest

from sparkwell.app.listener.own_address import (
    Found,
    can_be_bound,
    found_for,
    must_be_ours,
    seen_by_others,
)
from sparkwell.core.errors import UsageError

FOREIGN = (socket.AF_INET, ("192.0.2.9", 0))
OURS = (socket.AF_INET, ("192.168.1.4", 0))


def is_ours(found: Found) -> bool:
    return found == OURS


def refusal(host: str, found: list[Found]) -> UsageError:
    with pytest.raises(UsageError) as caught:
        must_be_ours(host, lambda _: found, is_ours)
    assert "0.0.0.0" in (caught.value.hint or "")
    return caught.value


def test_a_name_that_is_nobodys_is_refused() -> None:
    assert refusal("foo.example", []).message == (
        "'foo.example' is not an address of this machine: it is none, and no name that resolves "
        "to one."
    )


def test_the_address_of_another_machine_is_refused() -> None:
    assert refusal("192.0.2.9", [FOREIGN]).message == (
        "'192.0.2.9' is not an address of this machine."
    )
    assert refusal("other", [FOREIGN, FOREIGN]).message == (
        "'other' is not an address of this machine: it resolves to 192.0.2.9."
    )


def test_one_address_of_several_is_enough() -> None:
    must_be_ours("both", lambda _: [FOREIGN, OURS], is_ours)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "127.0.0.1", "127.0.1.1", "127.1", "localhost"])
def test_the_systems_own_addresses(host: str) -> None:
    must_be_ours(host)


@pytest.mark.parametrize("host", ["192.0.2.9", "0.0.0.0.0", "no such host\0", "x" * 300])
def test_what_the_system_does_not_have(host: str) -> None:
    with pytest.raises(UsageError, match="is not an address of this machine"):
        must_be_ours(host)


def test_a_port_that_somebody_has_does_not_matter() -> None:
    with socket.create_server(("127.0.0.1", 0)):
        assert all(map(can_be_bound, found_for("127.0.0.1")))


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::"])
def test_others_are_told_an_address_of_ours_or_the_name(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = seen_by_others(host)
    if told != socket.gethostname().lower():
        must_be_ours(told)
    monkeypatch.setattr("sparkwell.app.listener.own_address._asking", lambda *_: None)
    monkeypatch.setattr("socket.gethostname", lambda: "Spark-1")
    assert seen_by_others(host) == "spark-1"


def test_who_listens_on_one_kind_of_address_tells_one_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    numbers = {socket.AF_INET: "192.168.1.4", socket.AF_INET6: "2001:db8::4"}
    monkeypatch.setattr(
        "sparkwell.app.listener.own_address._asking", lambda family, _: numbers[family]
    )
    assert [seen_by_others(host) for host in ("", "0.0.0.0", "::")] == [
        *("192.168.1.4", "192.168.1.4", "2001:db8::4")
    ]
