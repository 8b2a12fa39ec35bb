"""A container's log as Docker sends it: frames to messages, and where a reader stands. Pure.

A frame is eight bytes (the stream, three zeros, the length) and one message: a line, or a piece
of a line that is longer than Docker's buffer of 16 KiB. With time stamps each message begins
with 30 characters of UTC and a blank.
"""

import calendar
import struct
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

_HEADER = struct.Struct(">BxxxL")
_STAMP = len("2026-11-21T08:19:45.411341260Z")
_SECOND = len("2026-11-21T08:19:45")
PIECE = 16384  # bytes of a piece of a line that goes on; a shorter one is the line's end
_CHECKPOINTS = 3


@dataclass(frozen=True, slots=True)
class Message:
    """One message: 1 is stdout, 2 stderr. ``stamp`` is empty where none was asked for."""

    stream: int
    stamp: bytes
    data: bytes


class Frames:
    """Takes bytes as they come and gives the messages that they complete."""

    def __init__(self, *, stamped: bool) -> None:
        self._stamped = stamped
        self._rest = b""

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that ``data`` completes."""
        data = self._rest + data
        messages, place, size = [], 0, _HEADER.size
        while len(data) - place >= size:
            stream, length = _HEADER.unpack_from(data, place)
            end = place + size + length
            if end > len(data):
                break
            messages.append(self._message(stream, data[place + size : end]))
            place = end
        self._rest = data[place:]
        return messages

    def _message(self, stream: int, body: bytes) -> Message:
        stamp = body[:_STAMP] if self._stamped else b""
        text = body[_STAMP + 1 :] if self._stamped else body
        return Message(stream, stamp, text if _is_open(text) else text + b"\n")


def _is_open(text: bytes) -> bool:
    """Whether the text needs no line end added: it has one, or its line goes on.

    Docker 20.10 with the log driver ``local`` leaves the end out after a line of several pieces.
    """
    return text.endswith(b"\n") or len(text) == PIECE


def runs(messages: Iterable[Message]) -> Iterator[tuple[int, bytes]]:
    """Join neighbours of one stream: (stream, bytes)."""
    for stream, group in groupby(messages, key=lambda message: message.stream):
        yield stream, b"".join(message.data for message in group)


@dataclass(slots=True)
class _Checkpoint:
    """A message by its stamp, and how many with the same or a later one were read from it on."""

    stamp: bytes
    index: int
    earlier: int = 0


class Position:
    """How far a log was read: enough to go on after the connection was cut, without repeating.

    Docker can send what is stamped at or after a moment. stdout and stderr are stamped apart and
    may be written a little out of order, so the moment lies a second or two back, and what was
    read since is counted and skipped.
    """

    def __init__(self, begin: float | None = None) -> None:
        self.bytes_read = 0
        self._begin = begin
        self._count = 0
        self._checkpoints: deque[_Checkpoint] = deque(maxlen=_CHECKPOINTS)

    @property
    def began_late(self) -> bool:
        """Whether it does not begin with the log: what lay before is not counted."""
        return self._begin is not None

    @property
    def since(self) -> str | None:
        """Docker's ``since``; None for the whole log."""
        if self._checkpoints:
            return _unix(self._checkpoints[0].stamp)
        return None if self._begin is None else f"{self._begin:.9f}"

    def resume(self) -> "Skip":
        """What of an answer to ``since`` has been read before."""
        if not self._checkpoints:
            return Skip(b"", 0)
        first = self._checkpoints[0]
        return Skip(first.stamp, self._count - first.index - first.earlier)

    def read(self, messages: Iterable[Message]) -> None:
        """Note that these were read."""
        for message in messages:
            self._note(message.stamp)
            self._count += 1
            self.bytes_read += len(message.data)

    def _note(self, stamp: bytes) -> None:
        newest = self._checkpoints[-1].stamp if self._checkpoints else b""
        if stamp[:_SECOND] > newest[:_SECOND]:
            self._checkpoints.append(_Checkpoint(stamp, self._count))
        elif stamp < newest:
            for checkpoint in self._checkpoints:
                checkpoint.earlier += stamp < checkpoint.stamp


class Skip:
    """Drops the messages that were read before.

    ``gap`` tells that the first of them is gone, so that what lay between is unknown: Docker has
    rotated the log meanwhile, and nothing is dropped.
    """

    def __init__(self, stamp: bytes, count: int) -> None:
        self.gap = False
        self._stamp = stamp
        self._left = count

    def new(self, messages: list[Message]) -> list[Message]:
        """Those of ``messages`` that were not read before."""
        if self._stamp and messages:
            self.gap = messages[0].stamp != self._stamp
            self._left = 0 if self.gap else self._left
            self._stamp = b""
        dropped = min(self._left, len(messages))
        self._left -= dropped
        return messages[dropped:]


def _unix(stamp: bytes) -> str:
    text = stamp.decode("ascii")
    seconds = calendar.timegm(time.strptime(text[:_SECOND], "%Y-%m-%dT%H:%M:%S"))
    return f"{seconds}.{text[_SECOND + 1 : -1]}"
