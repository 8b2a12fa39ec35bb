"""Heads that say the same as the one before, but for the length of their body.

Whoever keeps a connection says the same with each request, and an engine with each answer of one
second. A parser has found out once what that means: to read it again, header by header, would take
longer than all the rest that is done for a request.
"""

import re
from typing import Generic, TypeVar

_Meaning = TypeVar("_Meaning")
_LENGTH = re.compile(rb"\r\ncontent-length:[ ]?([0-9]{1,10})(?=\r\n)", re.IGNORECASE)
_NAME = b"content-length"
_END = b"\r\n\r\n"
_MOST_DIGITS = 10
_MOST_IN_VAIN = 4
_SELDOM = 16
"""Who says something new each time is looked at one time in so many only."""


class Repeating(Generic[_Meaning]):
    """Remembers the last head of one connection, by its bytes, and what it meant.

    ``match`` tells whether bytes begin with that head, whole; ``learn`` takes one that a parser
    has just read. Only the digits of Content-Length may differ, so bytes that match are bytes that
    the parser would have read in the same way.
    """

    __slots__ = ("_after", "_before", "_in_vain", "meaning")

    def __init__(self) -> None:
        self._before = self._after = b""
        self._in_vain = 0
        self.meaning: _Meaning | None = None

    def match(self, data: bytes) -> tuple[int, int] | None:
        """The length in bytes that is said, and where the body begins; None for another head."""
        if not self._before or not data.startswith(self._before):
            return None
        begins = len(self._before)
        ends = data.find(b"\r", begins, begins + _MOST_DIGITS + 1)
        digits = data[begins:ends]
        if ends < 0 or not digits.isdigit() or not data.startswith(self._after, ends):
            return None
        self._in_vain = 0
        return int(digits), ends + len(self._after)

    def learn(self, data: bytes, headers: int, meaning: _Meaning) -> None:
        """Remember the head that ``data`` begins with, if every reader sees one way to read it.

        ``headers`` is how many a parser found, ``meaning`` what ``match`` is to stand for.
        """
        self._in_vain += 1
        if self._in_vain > _MOST_IN_VAIN and self._in_vain % _SELDOM:
            return
        head = data[: data.find(_END) + len(_END)]
        found = _LENGTH.search(head)
        if found is None or not _is_plain(head, headers):
            self._before = b""
            return
        self._before, self._after = head[: found.start(1)], head[found.end(1) :]
        self.meaning = meaning


def _is_plain(head: bytes, headers: int) -> bool:
    """Whether it ends where it seems to, with one line a header, and one length."""
    line_ends = head.count(b"\r\n")
    return (
        head.endswith(_END)
        and head[:1].isalpha()
        and head.count(b"\n") == head.count(b"\r") == line_ends == headers + 2
        and head.lower().count(_NAME) == 1
    )
