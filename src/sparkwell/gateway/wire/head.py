"""The head of a request, as it came."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)  # frozen would take three times as long to make, once a request
class Head:
    """A request's line and headers.

    ``target`` is the path with its query, in the bytes that were sent. ``headers`` are in their
    order, with names in lower case, but without Content-Length; ``named`` has the first value of
    each. ``length`` is what Content-Length says, None without one. ``later`` is True for HTTP/1.1,
    which knows chunks and keeps connections. ``meaning`` is kept for the server: what it has made
    of all that, which is there again when a head comes again.
    """

    method: str
    target: bytes
    headers: Headers
    named: Mapping[bytes, bytes]
    later: bool = True
    keep_alive: bool = True
    length: int | None = None
    chunked: bool = False
    meaning: object = None

    def again(self, length: int) -> "Head":
        """The same with another length."""
        return Head(
            self.method,
            self.target,
            self.headers,
            self.named,
            self.later,
            self.keep_alive,
            length,
            self.chunked,
            self.meaning,
        )

    @property
    def path(self) -> str:
        """The path without the query; the wire takes visible ASCII only."""
        return self.target.partition(b"?")[0].decode("ascii")

    def text(self, name: bytes) -> str | None:
        """A header's first value; bytes beyond ASCII as Latin-1, which is what HTTP says."""
        value = self.named.get(name)
        return None if value is None else value.decode("latin-1")


@dataclass(slots=True)  # as above
class AnswerHead:
    """An answer's status and headers, in their order, with names in lower case.

    Content-Length is not among them. ``meaning`` is as that of a request's head.
    """

    status: int
    headers: Headers
    meaning: object = None


class Entry(Protocol):
    """As what a request was let in, by its head; the server's own, and passed on to it."""

    @property
    def most_body(self) -> int:
        """How many bytes its body may have."""
        ...


@dataclass(slots=True)  # frozen would take three times as long to make, once a request
class Request:
    """A whole request: its head, its body, as what it was let in, and from where.

    ``peer`` is the address of the other end, if it has one; ``tls`` tells whether it came
    encrypted.
    """

    head: Head
    body: bytes
    entry: Entry
    peer: str | None
    tls: bool = False


def lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Headers as they are sent. Values come from parsers that let no line break through."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])
