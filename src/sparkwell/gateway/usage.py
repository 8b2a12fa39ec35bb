"""What an answer used, read from its bytes in passing.

Engines say it in an object named ``usage``, whole answers near their end or near their beginning
(rerank), streams in one of their last events; Anthropic's streams also in their first. A quote in
a text is escaped, so ``"usage":`` as bytes is always a field's name.
"""

import json
import re
from typing import Annotated

import msgspec

from sparkwell.core.keys import NOTHING, Usage

MARK = b'"usage"'
"""Stands in what says something of it."""
_OBJECT = re.compile(rb'"usage"\s*:\s*(\{(?:[^{}"]|"[^"]*"|\{[^{}]*\})*\})')
_END = 8 * 1024
"""Where it is looked for first, for there it mostly stands: before the end of a whole answer."""
_LONGEST = 4 * 1024
"""No longer is what is said of it."""
_EVENT = b"data: {"


def usage_of(body: bytes) -> Usage:
    """What a whole answer says that it used."""
    at = body.rfind(MARK, -_END)
    if at >= 0 and (known := _of_rest(body[at:])) is not None:
        return known
    return later(NOTHING, body)


def _of_rest(fields: bytes) -> Usage | None:
    """What the last fields of an answer say, the first of which is ``usage``; None for others."""
    try:
        said = _REST.decode(b"{" + fields).usage
    except (msgspec.MsgspecError, ValueError):
        last = _OBJECT.match(fields)
        known = _joined(NOTHING, last[1]) if last is not None else NOTHING
    else:
        known = _with(NOTHING, said)
    return None if known == NOTHING else known


def later(known: Usage, piece: bytes) -> Usage:
    """What is known after another piece of a stream."""
    if MARK not in piece:
        return known
    for found in _OBJECT.finditer(piece):
        known = _joined(known, found[1])
    return known


_MOST = 10**12
"""No answer is as long; what says so would be too large for the store once it is added up."""
_Count = Annotated[int, msgspec.Meta(ge=0, le=_MOST)] | None


class _Said(msgspec.Struct):
    """The counts, by OpenAI's names and by Anthropic's; what stands beside them is passed over."""

    prompt_tokens: _Count = None
    completion_tokens: _Count = None
    input_tokens: _Count = None
    output_tokens: _Count = None


class _Rest(msgspec.Struct):
    """The end of an answer, as if it were a whole one."""

    usage: _Said


_DECODER = msgspec.json.Decoder(_Said)
_REST = msgspec.json.Decoder(_Rest)


def _joined(known: Usage, text: bytes) -> Usage:
    try:
        return _with(known, _DECODER.decode(text))
    except (msgspec.MsgspecError, ValueError):
        return known


def _with(known: Usage, said: _Said) -> Usage:
    prompt = said.input_tokens if said.prompt_tokens is None else said.prompt_tokens
    output = said.output_tokens if said.completion_tokens is None else said.completion_tokens
    return Usage(
        known.prompt_tokens if prompt is None else prompt,
        known.output_tokens if output is None else output,
    )


class Ear:
    """Hears what an answer says that it used, however it is cut. ``events``: so many have come."""

    __slots__ = ("_open", "events", "usage")

    def __init__(self) -> None:
        self._open = b""
        self.events = 0
        self.usage = NOTHING

    def hear(self, piece: bytes) -> None:
        """Hear a piece; of events it is mostly a whole one."""
        self.events += piece.count(_EVENT)
        if self._open:
            piece, self._open = self._open + piece, b""
        if MARK in piece:
            self.usage = later(self.usage, piece)
        if not piece.endswith(b"\n\n"):
            self._open = piece[-_LONGEST:]


class UsageTaken:
    """Takes the event out of a stream that says only what was used.

    It was asked for by the gateway and not by the client. Events are passed on when they are
    whole, which is how engines send them; ``usage`` is what the stream has said so far.
    """

    __slots__ = ("_events", "_rest", "usage")

    def __init__(self) -> None:
        self._rest = b""
        self._events = 0
        self.usage = NOTHING

    @property
    def usage_so_far(self) -> Usage:
        """What the stream has said; where it could not yet, its events.

        An engine sends an event for a token, or for a few. Who leaves before the end would use
        nothing otherwise.
        """
        if self.usage.output_tokens is not None:
            return self.usage
        return Usage(self.usage.prompt_tokens, self._events)

    def through(self, data: bytes, *, last: bool) -> bytes:
        """What of this data goes on to the client."""
        self._events += data.count(_EVENT)
        if self._rest:
            data, self._rest = self._rest + data, b""
        if not last and not data.endswith(b"\n\n"):
            cut = data.rfind(b"\n\n") + 2
            if cut < 2:
                cut = 0
            data, self._rest = data[:cut], data[cut:]
        if MARK in data:
            self.usage = later(self.usage, data)
            data = self._without(data)
        return data

    @staticmethod
    def _without(data: bytes) -> bytes:
        events = data.split(b"\n\n")
        return b"\n\n".join([each for each in events if not _is_usage_alone(each)])


def _is_usage_alone(event: bytes) -> bool:
    """An event of no choices whose ``usage`` is there."""
    if MARK not in event or not event.startswith(b"data:"):
        return False
    try:
        said = json.loads(event[5:])
    except ValueError:
        return False
    return said.get("choices") == [] and isinstance(said.get("usage"), dict)
