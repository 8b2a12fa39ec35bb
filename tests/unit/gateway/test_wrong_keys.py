"""What the log tells of requests with keys that are not valid."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.gateway import wrong_keys
from sparkwell.gateway.wrong_keys import WrongKeyLog, WrongKeys

FIRST = "A request with a key that is not valid, from 192.0.2.7"


def test_the_first_is_told_at_once_and_the_others_a_minute_later() -> None:
    wrong = WrongKeys()
    assert wrong.came("192.0.2.7", 0.0) == FIRST
    assert [wrong.came("192.0.2.7", float(at)) for at in range(1, 13)] == [None] * 12
    assert wrong.due(59.0) == []
    assert wrong.due(60.0) == [
        "12 requests with keys that are not valid from 192.0.2.7 in the last minute"
    ]
    assert wrong.came("192.0.2.7", 61.0) is None
    assert wrong.due(119.0) == []
    assert wrong.due(121.0) == [
        "1 request with a key that is not valid from 192.0.2.7 in the last minute"
    ]


def test_who_stops_is_forgotten() -> None:
    wrong = WrongKeys()
    wrong.came("192.0.2.7", 0.0)
    assert wrong.due(60.0) == []
    assert wrong.empty
    assert wrong.came("192.0.2.7", 61.0) == FIRST


def test_addresses_beyond_a_number_are_told_together() -> None:
    wrong = WrongKeys(most=2)
    said = [wrong.came(f"192.0.2.{at}", 0.0) for at in range(6)]
    assert [each is not None for each in said] == [True, True, True, False, False, False]
    assert said[2] == "A request with a key that is not valid, from other addresses"
    assert wrong.due(60.0) == [
        "3 requests with keys that are not valid from other addresses in the last minute"
    ]


def test_a_unix_socket_has_no_address() -> None:
    assert "this machine" in (WrongKeys().came(None, 0.0) or "")


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0.0, 20.0)), max_size=200))
def test_none_is_lost_and_no_address_has_two_lines_in_a_minute(
    steps: list[tuple[int, float]],
) -> None:
    wrong, now = WrongKeys(most=4), 0.0
    said: list[tuple[float, str]] = []
    for who, pause_s in steps:
        now += pause_s
        said += [(now, each) for each in wrong.due(now)]
        if (first := wrong.came(f"192.0.2.{who}", now)) is not None:
            said.append((now, first))
    for _ in range(2):
        now += 61.0
        said += [(now, each) for each in wrong.due(now)]
    assert wrong.empty
    assert sum(_count(line) for _, line in said) == len(steps)
    times: dict[str, float] = {}
    for at, line in said:
        address = line.partition("from ")[2].removesuffix(" in the last minute")
        assert at - times.get(address, -60.0) >= 60.0 - 1e-6
        times[address] = at


def _count(line: str) -> int:
    word = line.partition(" ")[0]
    return 1 if word == "A" else int(word)


async def test_it_is_written_and_looked_at_only_while_somebody_tries(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [0.0]
    log = WrongKeyLog(lambda: now[0])
    for _ in range(3):
        log.came("192.0.2.7")
    now[0] = wrong_keys.EVERY_S
    log._look()
    assert [each.getMessage() for each in caplog.records] == [
        FIRST,
        "2 requests with keys that are not valid from 192.0.2.7 in the last minute",
    ]
    assert {each.levelno for each in caplog.records} == {logging.WARNING}
    assert log.looks
    log.close()
    now[0] *= 2
    log._look()
    assert not log.looks
