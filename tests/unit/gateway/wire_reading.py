"""What the wire makes of bytes, said as values that can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass

import httptools
from tests.security.tap import strict_head

from sparkwell.core.errors import SparkwellError
from sparkwell.gateway.wire.answer import AnswerReader
from sparkwell.gateway.wire.head import Head, lines
from sparkwell.gateway.wire.incoming import RequestReader
from sparkwell.gateway.wire.limits import Limits

MOST_BODY = 100_000


@dataclass(frozen=True, slots=True)
class Pass:
    """Everybody is let in."""

    most_body: int = MOST_BODY


class Taken:
    """The requests that a reader found."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes, tuple[tuple[bytes, bytes], ...], bytes]] = []

    def head_came(self, head: Head) -> Pass:
        return Pass()

    def request_came(self, head: Head, body: bytes, entry: object) -> None:
        self.requests.append((head.method, head.target, tuple(head.headers), body))


def read_requests(pieces: Sequence[bytes]) -> tuple[Taken, bool]:
    """The requests in some bytes, and whether the rest was refused."""
    taken = Taken()
    reader = RequestReader(taken, Limits())
    try:
        for piece in pieces:
            reader.feed(piece)
    except SparkwellError as error:
        return taken, 400 <= error.http_status < 500
    return taken, False


@dataclass(frozen=True, slots=True)
class Read:
    """One answer, as far as it could be read; ``broken`` where it is no HTTP."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    complete: bool
    broken: bool


def read_answer(pieces: Sequence[bytes], reader: AnswerReader | None = None) -> Read:
    """The next answer in some bytes; nothing is read behind a whole one."""
    reader = reader or AnswerReader()
    reader.begin()
    body, broken = b"", False
    for piece in pieces:
        try:
            reader.feed(piece)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            broken = not reader.complete
        body += b"".join(reader.pieces)
        reader.pieces = []
        if broken or reader.complete:
            break
    headers = tuple(reader.head.headers)
    return Read(reader.status, headers, body, reader.complete, broken)


def can_be_sent_on(taken: Taken) -> None:
    """A strict reader has to understand each request's headers as the wire did."""
    for method, target, headers, _ in taken.requests:
        assert all(0x21 <= byte != 0x7F for byte in target), target
        sent = method.encode() + b" /x HTTP/1.1\r\n" + lines(headers) + b"\r\n"
        _, again = strict_head(sent)
        expected = [(name.decode(), value.decode("latin-1").strip()) for name, value in headers]
        assert again == expected
        assert all(name == name.lower() for name, _ in again)


def cut(data: bytes, at: Sequence[int]) -> list[bytes]:
    """The bytes in pieces, cut at some places."""
    places = sorted({each % (len(data) + 1) for each in at})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
