"""Reads requests from bytes: what llhttp calls, gathered to heads and bodies."""

from typing import Protocol

import httptools

from sparkwell.gateway.wire.errors import (
    BadRequestError,
    HeadTooLargeError,
    TargetTooLongError,
    TooLargeError,
)
from sparkwell.gateway.wire.head import Entry, Head, Headers, lines
from sparkwell.gateway.wire.limits import Limits
from sparkwell.gateway.wire.repeating import Repeating

_CODING = b"transfer-encoding"
_LENGTH = b"content-length"
_ONCE = frozenset(
    {
        b"host",
        b"origin",
        b"authorization",
        b"x-api-key",
        b"content-type",
        b"content-encoding",
        _LENGTH,
    }
)
"""Headers that are judged: of two of them one reader might take the first and another the last."""
_MOST_BLANK = 64
"""Bytes between two requests: empty lines, which old clients send after a body."""
_UPGRADES = (b"upgrade", b"http2-settings", b"connection")


class Receiver(Protocol):
    """Who is told what has come."""

    def head_came(self, head: Head) -> Entry:
        """A head is complete; as what the request is let in. May raise to refuse it."""
        ...

    def request_came(self, head: Head, body: bytes, entry: Entry) -> None:
        """A request is complete."""
        ...


class RequestReader:
    """Cuts one connection's bytes into requests.

    ``feed`` raises SparkwellError for what cannot be a request, or what the receiver refuses: the
    connection is of no use then, for nobody knows where the next request begins. ``in_head`` and
    ``in_body`` tell where it is; ``received`` counts the bytes of the part that is being read.
    What is neither head nor body (empty lines, chunks' extensions, trailers) is bounded too.
    """

    __slots__ = (
        "_beside",
        "_body",
        "_entry",
        "_first",
        "_head",
        "_headers",
        "_left",
        "_limits",
        "_named",
        "_over",
        "_parser",
        "_receiver",
        "_repeating",
        "_target",
        "_upgrading",
        "in_body",
        "in_head",
        "received",
    )

    def __init__(self, receiver: Receiver, limits: Limits) -> None:
        self._receiver, self._limits = receiver, limits
        self._parser = httptools.HttpRequestParser(self)
        self.in_head = self.in_body = self._upgrading = self._over = False
        self.received = 0
        self._entry: Entry | None = None
        self._target = b""
        self._head: Head | None = None
        self._headers: Headers = []
        self._named: dict[bytes, bytes] = {}
        self._body: bytes | bytearray = b""
        self._beside = 0
        self._repeating: Repeating[Head] = Repeating()
        self._first: Head | None = None
        self._left = 0

    def feed(self, data: bytes) -> None:
        """Take bytes as they came. What follows a last request is passed over."""
        if self._over:
            return
        if self._left:
            data = self._more(data)
        while data and self._is_between and (found := self._repeating.match(data)):
            data = self._again(data, *found)
        while data:
            data = self._read(data)

    @property
    def _is_between(self) -> bool:
        """Whether no request has begun, and nothing at all has come since the last."""
        return not (self.in_head or self.in_body or self.received)

    def _again(self, data: bytes, length: int, begins: int) -> bytes:
        """A request whose head needs no parser; what comes behind it."""
        first = self._repeating.meaning
        assert first is not None  # noqa: S101 - it is there where a head matches
        head = self._head = first.again(length)
        self._entry = self._receiver.head_came(head)
        ends = begins + length
        if len(data) == ends:  # mostly: it has come in one piece
            self._head = None
            self._receiver.request_came(head, data[begins:], self._entry)
            return b""
        self.in_body, self._body, self._left = True, b"", length
        return self._more(data[begins:])

    def _more(self, data: bytes) -> bytes:
        """A piece of the body of such a request; what comes behind it."""
        piece = data[: self._left]
        self._left -= len(piece)
        if piece:
            self.on_body(piece)
        if not self._left:
            self.on_message_complete()
        return data[len(piece) :]

    def _read(self, data: bytes) -> bytes:
        """Let the parser read; what another one has to read instead of the rest."""
        begins = self._is_between
        if not self.in_body:
            self.received += len(data)
        self._beside += len(data)
        anew = self._parse(data)
        first, self._first = self._first, None
        if anew:
            return anew
        if self.in_head and self.received > self._limits.head:
            raise _head_too_large(self._limits)
        if self._beside > (self._limits.head if self.in_body or self.in_head else _MOST_BLANK):
            raise BadRequestError("There are too many bytes that belong to no request.")
        if begins and first is not None and first.length is not None and first.keep_alive:
            self._repeating.learn(data, len(first.headers) + 1, first)
        return b""

    def _parse(self, data: bytes) -> bytes:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._without_the_wish(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            raise error.__context__ or error from None
        except httptools.HttpParserError as error:
            if not self._over:  # else it is what follows a last request
                raise BadRequestError(f"This is no HTTP/1.1 request: {error}.") from None
        return b""

    def _without_the_wish(self, rest: bytes) -> bytes:
        """A wish for another protocol is passed over, as HTTP allows; the parser would stop."""
        head = self._head
        assert head is not None  # noqa: S101 - the parser stops behind a head
        self._upgrading = False
        self._parser = httptools.HttpRequestParser(self)
        kept = [each for each in head.headers if each[0] not in _UPGRADES]
        version = b"1.1" if head.later else b"1.0"
        line = b"%b %b HTTP/%b\r\n" % (head.method.encode(), head.target, version)
        if head.length is not None:
            kept.append((_LENGTH, b"%d" % head.length))
        return line + lines(kept) + b"\r\n" + rest

    # ── what llhttp calls ───────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        """The first byte of a request has come."""
        self.in_head = True
        self._beside = 0
        self._target = b""
        self._headers, self._named, self._body = [], {}, b""

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._target += url
        if len(self._target) > self._limits.target:
            raise TargetTooLongError(
                f"The path and its query are longer than {self._limits.target:,} bytes."
            )

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; after the body it is a trailer, which nobody needs."""
        if not self.in_head:
            return
        name = name.lower()
        if name in _ONCE and name in self._named:
            raise BadRequestError(f"There is more than one {name.decode()} header.")
        self._headers.append((name, value))
        self._named.setdefault(name, value)
        if len(self._headers) > self._limits.headers:
            raise _head_too_large(self._limits)

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self.in_head = False
        head = self._head = self._whole_head()
        if self.received > self._limits.head and _size(head) > self._limits.head:
            raise _head_too_large(self._limits)
        if head.method == "CONNECT":  # nobody knows whether what follows is its body
            raise BadRequestError("CONNECT is not spoken here: this is no proxy.")
        if self._parser.should_upgrade():
            self._upgrading = True
            return
        self._first = self._first or head
        self._entry = self._receiver.head_came(head)
        self.in_body, self.received = True, 0

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        self.received += len(data)
        self._beside = 0
        if self._entry is not None and self.received > self._entry.most_body:
            raise too_large(self._entry.most_body)
        if not self._body:
            self._body = data
        elif isinstance(self._body, bytearray):
            self._body += data
        else:
            self._body = bytearray(self._body + data)

    def on_message_complete(self) -> None:
        """The request is complete."""
        if self._upgrading or self._head is None or self._entry is None:
            return
        head, body, self._head, self._body = self._head, bytes(self._body), None, b""
        self.in_body, self.received, self._beside = False, 0, 0
        self._over = not head.keep_alive
        self._receiver.request_came(head, body, self._entry)

    def _whole_head(self) -> Head:
        parser, named = self._parser, self._named
        version = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise BadRequestError(f"HTTP/{version} is not spoken here; HTTP/1.1 is.")
        if version == "1.1" and b"host" not in named:
            raise BadRequestError("There is no Host header.")
        codings = [value.strip().lower() for name, value in self._headers if name == _CODING]
        if codings not in ([], [b"chunked"]) or (codings and version == "1.0"):
            raise BadRequestError("Of transfer codings only chunked is spoken, once, in HTTP/1.1.")
        length = named.pop(_LENGTH, None)
        headers = self._headers
        if length is not None:
            headers = [each for each in headers if each[0] != _LENGTH]
        return Head(
            parser.get_method().decode("ascii"),
            self._target,
            headers,
            named,
            version == "1.1",
            version == "1.1" and parser.should_keep_alive(),
            int(length) if length is not None else None,
            bool(codings),
        )


def too_large(limit: int) -> TooLargeError:
    """The error for a body of more than ``limit`` bytes."""
    return TooLargeError(
        f"The request body is larger than {limit / 10**6:,.0f} MB.",
        hint="The setting gateway.max_body_mb allows more.",
    )


def _size(head: Head) -> int:
    return len(head.target) + sum(len(name) + len(value) + 4 for name, value in head.headers)


def _head_too_large(limits: Limits) -> HeadTooLargeError:
    return HeadTooLargeError(
        f"The headers are more than {limits.headers}, or longer than {limits.head:,} bytes."
    )
