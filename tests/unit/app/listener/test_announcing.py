"""What a start says of who finds the gateway."""

import pytest

from sparkwell.app.listener.announcing import announce, ending, in_clear_text, ready
from sparkwell.app.settings.config import GatewaySettings
from sparkwell.app.status.about import About


def about(host: str, *, tls: bool = False) -> About:
    return About(host, 8000, False, 0.0, certificate="c.pem" if tls else None)


def test_on_one_address_there_is_nothing_to_add() -> None:
    assert ready(about("127.0.0.1"), "192.168.1.4") == "Ready on http://127.0.0.1:8000"
    assert ready(about("192.168.1.4"), "192.168.1.4") == "Ready on http://192.168.1.4:8000"


def test_on_all_addresses_others_are_told_theirs() -> None:
    assert ready(about("0.0.0.0"), "192.168.1.4") == (
        "Ready on http://127.0.0.1:8000. It listens on all IPv4 addresses of this machine: "
        "others reach it at http://192.168.1.4:8000"
    )
    assert "all addresses of" in ready(about(""), "spark")
    assert ready(about("::", tls=True), "2001:db8::4").endswith("https://[2001:db8::4]:8000")


def test_clear_text_is_said_where_others_can_read_it() -> None:
    said = in_clear_text(about("0.0.0.0"), beyond=True)
    assert said is not None
    assert "docs/network.md" in said
    assert in_clear_text(about("0.0.0.0", tls=True), beyond=True) is None
    assert in_clear_text(about("127.0.0.1"), beyond=False) is None


@pytest.mark.parametrize(
    ("host", "auth", "warnings"),
    [
        ("127.0.0.1", "keys", []),
        ("127.0.0.1", "none", ["gateway.auth is none"]),
        ("0.0.0.0", "keys", ["clear text"]),
        ("0.0.0.0", "none", ["gateway.auth is none", "clear text"]),
    ],
)
def test_what_is_logged(
    host: str, auth: str, warnings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    gateway = GatewaySettings.model_validate({"host": host, "auth": auth})
    announce(about(host), gateway)
    first, *others = caplog.records
    assert first.getMessage().startswith("Ready on http://127.0.0.1:8000")
    assert [each.levelname for each in others] == ["WARNING"] * len(warnings)
    assert all(w in each.getMessage() for w, each in zip(warnings, others, strict=True))


def test_an_ending_daemon_says_whom_it_waits_for() -> None:
    assert ending(None, 3) == "Ending, stopping the engines"
    assert ending(30.0, 0) == "Ending, leaving the engines running"
    assert ending(0.5, 1) == (
        "Ending, leaving the engines running; waiting for 1 request, up to 0.5 s"
    )
    assert ending(30.0, 1200).endswith("waiting for 1,200 requests, up to 30 s")
