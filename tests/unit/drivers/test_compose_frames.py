"""A container's log from Docker's frames, and going on after a cut."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.drivers.compose.frames import PIECE, Frames, Message, Position, runs


def frame(stream: int, body: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(body)) + body


def stamp(at: float) -> bytes:
    """A time stamp of Docker's, ``at`` seconds into a minute."""
    return f"2026-11-21T08:19:{at:012.9f}Z".encode()


def message(at: float, text: bytes = b"x\n", stream: int = 1) -> Message:
    return Message(stream, stamp(at), text)


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40))), st.data())
def test_messages_are_the_same_however_the_bytes_arrive(
    said: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    raw = b"".join(frame(stream, text + b"\n") for stream, text in said)
    frames = Frames(stamped=False)
    found = []
    while raw:
        size = data.draw(st.integers(1, len(raw)))
        found += frames.feed(raw[:size])
        raw = raw[size:]
    assert found == [Message(stream, b"", text + b"\n") for stream, text in said]


def test_a_stamp_is_taken_off() -> None:
    (found,) = Frames(stamped=True).feed(frame(2, stamp(45.4) + b" caf\xc3\xa9 \xff\n"))
    assert found == Message(2, stamp(45.4), b"caf\xc3\xa9 \xff\n")


def test_a_long_line_stays_one_line() -> None:
    pieces = [b"x" * PIECE, b"x" * PIECE, b"x" * 100, b"next\n"]
    found = Frames(stamped=False).feed(b"".join(frame(1, piece) for piece in pieces))
    assert [data for _, data in runs(found)] == [b"x" * (2 * PIECE + 100) + b"\nnext\n"]


def test_the_streams_are_kept_apart() -> None:
    found = [message(1, b"a\n"), message(1, b"b\n"), message(1, b"c\n", 2), message(1, b"d\n")]
    assert list(runs(found)) == [(1, b"a\nb\n"), (2, b"c\n"), (1, b"d\n")]


def answer(log: list[Message], since: str | None) -> list[Message]:
    """What Docker sends: all that is stamped at or after a moment, in the order of writing."""
    if since is None:
        return log
    seconds, _, fraction = since.partition(".")
    moment = stamp(int(seconds) % 60 + float(f"0.{fraction}"))
    return [one for one in log if one.stamp >= moment]


@given(
    st.lists(st.floats(0, 6), min_size=1, max_size=60).map(sorted),
    st.lists(st.floats(0, 0.01), min_size=60, max_size=60),
    st.integers(0, 60),
)
def test_a_cut_loses_nothing_and_repeats_nothing(
    times: list[float], late: list[float], cut: int
) -> None:
    """Also when stdout and stderr are written a little out of order."""
    log = [
        message(max(at - back, 0), f"{number}\n".encode(), 1 + number % 2)
        for number, (at, back) in enumerate(zip(times, late, strict=False))
    ]
    position = Position()
    position.read(log[:cut])
    skip = position.resume()
    rest = skip.new(answer(log, position.since))
    assert not skip.gap
    assert log[:cut] + rest == log


def test_a_rotated_log_is_a_gap_and_nothing_is_dropped() -> None:
    position = Position()
    position.read([message(1), message(2), message(3)])
    skip = position.resume()
    later = [message(5), message(6)]
    assert skip.new(later) == later
    assert skip.gap


def test_who_begins_late_begins_there() -> None:
    position = Position(1_795_249_185.25)
    assert position.began_late
    assert position.since == "1795249185.250000000"
    position.read([message(45.4, b"abc\n")])
    assert position.since == "1795249185.400000000"
    assert position.bytes_read == 4


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_messages_of_one_moment_are_told_apart_by_number(cut: int) -> None:
    log = [message(1, f"{number}\n".encode()) for number in range(4)]
    position = Position()
    position.read(log[:cut])
    assert position.resume().new(answer(log, position.since)) == log[cut:]
