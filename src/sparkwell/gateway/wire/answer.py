"""An engine's answer, as llhttp reads it."""

import httptools

from sparkwell.gateway.wire.framing import BODILESS
from sparkwell.gateway.wire.head import AnswerHead, Headers
from sparkwell.gateway.wire.repeating import Repeating

_CONTINUE = 200
_NO_HEAD = b"?"
"""Stands for bytes that do not begin with the answer's own head: not to be remembered."""
_NONE = AnswerHead(0, [])


class AnswerReader:
    """Cuts an engine's bytes into the head and the pieces of the body of one answer.

    After each ``feed``: ``status`` is 0 until ``head`` has come; ``pieces`` are those of the body
    that have come since they were last taken; ``complete`` tells that it was all. Raises
    httptools.HttpParserError for what is no HTTP.
    """

    __slots__ = (
        "_beginning",
        "_chunked",
        "_headers",
        "_left",
        "_parser",
        "_repeating",
        "complete",
        "head",
        "keep_alive",
        "length",
        "pieces",
        "status",
    )

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._repeating: Repeating[AnswerHead] = Repeating()
        self.begin()

    def begin(self) -> None:
        """Make ready for the next answer."""
        self.head = _NONE
        self.status = 0
        self._headers: Headers = []
        self.pieces: list[bytes] = []
        self.length: int | None = None
        self.complete = self.keep_alive = self._chunked = False
        self._beginning = b""
        self._left = 0

    def feed(self, data: bytes) -> None:
        """Take bytes as they came."""
        if self._left:
            self._more(data)
        elif self._beginning:
            self._parser.feed_data(data)
        elif found := self._repeating.match(data):
            self._again(data, *found)
        else:
            self._beginning = data
            self._parser.feed_data(data)

    def ended(self) -> bool:
        """The connection has ended: whether the answer is whole by that."""
        framed = self._chunked or self.length is not None
        if self.status and not self.complete and not framed:
            self.complete = True
        return self.complete

    def _again(self, data: bytes, length: int, begins: int) -> None:
        """An answer whose head needs no parser."""
        head = self._repeating.meaning
        assert head is not None  # noqa: S101 - it is there where a head matches
        self.head, self.status, self.length = head, head.status, length
        if len(data) == begins + length:  # mostly: it has come in one piece
            self.pieces.append(data[begins:])
            self.complete = self.keep_alive = True
            return
        self._left = length
        self._more(data[begins:])

    def _more(self, data: bytes) -> None:
        """A piece of the body of such an answer; nobody asked for what comes behind it."""
        piece = data[: self._left]
        self._left -= len(piece)
        if piece:
            self.pieces.append(piece)
        if not self._left:
            self.complete, self.keep_alive = True, len(piece) == len(data)

    # ── what llhttp calls ───────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        """An answer begins; nobody asked for a second one: what comes now is not to be trusted."""
        if self.complete:
            self.keep_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; after the head it is a trailer, which is not passed on."""
        if self.status:
            return
        name = name.lower()
        if name == b"content-length":
            self.length = int(value)
            return
        self._headers.append((name, value))
        if name == b"transfer-encoding":
            self._chunked = True

    def on_headers_complete(self) -> None:
        """The head has come; one below 200 announces another."""
        if self.complete:
            return
        status = self._parser.get_status_code()
        headers, self._headers = self._headers, []
        if status < _CONTINUE:
            self.length, self._chunked = None, False
            self._beginning = _NO_HEAD
            return
        self.head, self.status = AnswerHead(status, headers), status
        if status in BODILESS:
            self.length = None

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if not self.complete:
            self.pieces.append(data)

    def on_message_complete(self) -> None:
        """All of it has come."""
        if not self.status or self.complete:
            return
        self.complete = True
        self.keep_alive = self._parser.should_keep_alive()
        if self.keep_alive and self.length is not None:
            self._repeating.learn(self._beginning, len(self.head.headers) + 1, self.head)
        self._beginning = _NO_HEAD  # else an idle connection would keep all of it
