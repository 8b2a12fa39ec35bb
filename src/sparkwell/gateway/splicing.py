"""Edits of a JSON object as bytes: all but what is edited stays as it came.

Nothing here walks through a body in Python: one of 32 MB may be nothing but brackets, and everybody
else would wait meanwhile.
"""

import json
import re
from array import array
from itertools import accumulate

from sparkwell.core.errors import UsageError

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_STEPS = bytes(
    {ord("["): 1, ord("{"): 1, ord("]"): 255, ord("}"): 255}.get(n, 0) for n in range(256)
)
_MOST_NAMED = 1000
_NO_BRACKETS = bytes(n for n in range(256) if n not in b"[]{}")


def depth(body: bytes) -> int:
    """How deep a JSON document is nested that a parser has found to be well formed."""
    brackets = _STRING.sub(b"", body).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(array("b", brackets)), default=0)


def spliced(body: bytes, values: dict[str, tuple[bytes, object]]) -> bytes:
    """The body of a JSON object with other values for some of its own fields.

    ``values`` are by name: the JSON of the value that the parser found, which is empty where the
    field is missing, and the new value. A missing one is added at the end. Raises UsageError
    where a name is written in a way that cannot be found.
    """
    edits = [
        (*_span(body, name, found), json.dumps(value).encode())
        for name, (found, value) in values.items()
        if found
    ]
    new = {name: value for name, (found, value) in values.items() if not found}
    if new:
        end = len(body.rstrip()) - 1
        edits.append((end, end, b"," + json.dumps(new).encode()[1:-1]))
    for begins, ends, text in sorted(edits, reverse=True):
        body = body[:begins] + text + body[ends:]
    return body


def _span(body: bytes, name: str, found: bytes) -> tuple[int, int]:
    """Where a field's value stands: of equal names the last counts, as it does for parsers.

    A quote within a text has a backslash before it, so what looks like a name is one.
    """
    named = re.compile(rb'(?<!\\)"%b"\s*:\s*' % re.escape(name.encode()))
    depth_now, seen, span = 0, 0, None
    for number, match in enumerate(named.finditer(body)):
        if number >= _MOST_NAMED:
            raise UsageError(f"The body has more than {_MOST_NAMED:,} fields named {name}.")
        depth_now += _opened(body[seen : match.start()])
        seen, begins = match.start(), match.end()
        if depth_now == 1 and body.startswith(found, begins):
            span = begins, begins + len(found)
    if span is None:
        raise UsageError(f"The name of the field {name} is written with escapes.")
    return span


def _opened(piece: bytes) -> int:
    """How many levels deeper a piece ends than it begins; it begins and ends outside of texts."""
    brackets = _STRING.sub(b"", piece).translate(None, _NO_BRACKETS)
    closed = brackets.count(b"}") + brackets.count(b"]")
    return len(brackets) - 2 * closed
