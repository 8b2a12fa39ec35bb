"""The bytes of an answer's head."""

import time
from email.utils import formatdate
from functools import cache
from http import HTTPStatus

from sparkwell.gateway.wire.head import lines

BODILESS = frozenset({204, 304})
"""Statuses whose answers have no body, whatever their headers say."""


@cache
def status_line(status: int) -> bytes:
    """``HTTP/1.1 200 OK`` and the line's end."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Status"
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")


class DateLine:
    """The Date header, made once a second."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second, self._line = 0, b""

    def now(self) -> bytes:
        """The header's line as of this second."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._line = b"date: " + formatdate(second, usegmt=True).encode("ascii") + b"\r\n"
        return self._line


__all__ = ["BODILESS", "DateLine", "lines", "status_line"]
