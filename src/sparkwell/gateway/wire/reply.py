"""The answer to one request, written as it comes."""

from collections.abc import Sequence
from typing import Protocol

from sparkwell.gateway.wire.framing import BODILESS, status_line
from sparkwell.gateway.wire.head import Head

_END = b"0\r\n\r\n"


class Feeder(Protocol):
    """Whoever gives an answer's bytes, and can be asked to stop for a while."""

    def pause(self) -> None:
        """Give no more."""
        ...

    def resume(self) -> None:
        """Go on."""
        ...


class Outlet(Protocol):
    """The connection that an answer is written to."""

    def fed_by(self, feeder: Feeder) -> None:
        """Have it give, but while the client takes less than there is for it."""
        ...

    def send(self, data: bytes) -> None:
        """Write; nothing happens where the client has gone."""
        ...

    def date_line(self) -> bytes:
        """The Date header's line."""
        ...


class Reply:
    """One answer: ``whole`` at once, or ``begin``, ``write`` and ``end``.

    ``fields`` are headers as ``lines`` writes them. ``begun`` and ``complete`` tell how far it is.
    ``extra`` are fields for every answer, whoever writes it. ``closing`` ends the connection after
    it. With a ``length`` the body goes as it is, without one in chunks; to a client of HTTP/1.0
    until the connection ends.
    """

    __slots__ = (
        "_chunked",
        "_left",
        "_outlet",
        "begun",
        "bodiless",
        "closing",
        "complete",
        "extra",
        "later",
        "status",
    )

    def __init__(self, outlet: Outlet, head: Head | None) -> None:
        self._outlet = outlet
        self._chunked = False
        self._left: int | None = None
        self.begun = self.complete = False
        self.bodiless = head is not None and head.method == "HEAD"
        self.closing = head is None or not head.keep_alive
        self.later = head is None or head.later
        self.status = 0
        self.extra = b""

    def whole(self, status: int, fields: bytes, body: bytes) -> None:
        """Write an answer that is all there."""
        head = self._head(status, fields, len(body))
        self.complete = True
        self._outlet.send(head if self._has_no_body else head + body)

    def begin(self, status: int, fields: bytes, length: int | None) -> None:
        """Write the head; ``length`` is the body's in bytes, None where nobody knows it."""
        self._outlet.send(self._head(status, fields, length))

    def write(self, chunks: Sequence[bytes], *, last: bool = False) -> None:
        """Write pieces of the body, together; with ``last`` also its end."""
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        if self._chunked:  # every event comes here
            data = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if last:
                data += _END
                self.complete = True
        else:
            data = self._unchunked(body, last=last)
        if data:
            self._outlet.send(data)

    def end(self) -> None:
        """Write the end of the body."""
        self.write((), last=True)

    def fed_by(self, feeder: Feeder) -> None:
        """Name the one who gives the body, so that a slow client slows it."""
        self._outlet.fed_by(feeder)

    @property
    def _has_no_body(self) -> bool:
        return self.bodiless or self.status in BODILESS

    def _head(self, status: int, fields: bytes, length: int | None) -> bytes:
        self.begun, self.status, self._left = True, status, length
        self._chunked = length is None and self.later and not self._has_no_body
        if length is None and not self.later:
            self.closing = True
        return b"".join(
            (
                status_line(status),
                fields,
                self.extra,
                self._outlet.date_line(),
                self._framing(length),
                b"connection: close\r\n\r\n" if self.closing else b"\r\n",
            )
        )

    def _framing(self, length: int | None) -> bytes:
        if self.status in BODILESS:
            return b""
        if length is not None:
            return b"content-length: %d\r\n" % length
        return b"transfer-encoding: chunked\r\n" if self.later else b""

    def _unchunked(self, body: bytes, *, last: bool) -> bytes:
        """An answer that is shorter than was said is never complete: the connection ends."""
        if self._has_no_body:
            body = b""
        elif self._left is not None:
            self._left -= len(body)
        if last:
            self.complete = self._has_no_body or not self._left
        return body
