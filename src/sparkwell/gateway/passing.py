"""Moving an engine's answer to a client: the pieces as they come, what they used in passing."""

from collections.abc import Callable, Sequence

from sparkwell.core.keys import Usage
from sparkwell.gateway.envelope import error_event, error_object
from sparkwell.gateway.telling import told
from sparkwell.gateway.usage import Ear, UsageTaken, usage_of
from sparkwell.gateway.wire.engine import EngineConnection
from sparkwell.gateway.wire.errors import BrokenOffError
from sparkwell.gateway.wire.reply import Reply

Hearer = Callable[[Usage], None]
"""Who hears what an answer used."""


def _nobody(_usage: Usage) -> None:
    """Nobody wants to know."""


class Plain:
    """Passes pieces on, and hears what the answer used: anywhere in it may be said."""

    __slots__ = ("_ear", "_reply")

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._ear = Ear()

    def take(self, pieces: Sequence[bytes], *, last: bool) -> None:
        """Pass on, and look at what passes."""
        self._reply.write(pieces, last=last)
        for piece in pieces:
            self._ear.hear(piece)

    @property
    def usage(self) -> Usage:
        """What the answer has said."""
        return self._ear.usage


class Events:
    """Passes events on, and hears what they used."""

    __slots__ = ("_ear", "_has_ended", "_reply")

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._ear = Ear()
        self._has_ended = False

    def take(self, pieces: Sequence[bytes], *, last: bool) -> None:
        """Pass on; a piece is mostly one event."""
        for piece in pieces:
            self._ear.hear(piece)
        self._has_ended = last
        self._reply.write(pieces, last=last)

    @property
    def usage(self) -> Usage:
        """What the stream has said. One that ended too early had no time to: its events, then.

        Anthropic's say at their beginning that nothing has been used yet.
        """
        said = self._ear.usage
        if self._has_ended:
            return said
        return Usage(said.prompt_tokens, max(said.output_tokens or 0, self._ear.events))


class FewerEvents:
    """Passes events on, without the one that the client has not asked for."""

    __slots__ = ("_reply", "_taken")

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._taken = UsageTaken()

    def take(self, pieces: Sequence[bytes], *, last: bool) -> None:
        """Pass on."""
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._reply.write((self._taken.through(data, last=last),), last=last)

    @property
    def usage(self) -> Usage:
        """What the stream has said so far, or the tokens that were seen if it ended too early."""
        return self._taken.usage_so_far


def _sink(reply: Reply, *, streams: bool, drops_usage: bool) -> Plain | Events | FewerEvents:
    if not streams:
        return Plain(reply)
    return FewerEvents(reply) if drops_usage else Events(reply)


async def pass_on(
    connection: EngineConnection,
    reply: Reply,
    fields: bytes,
    *,
    path: str,
    drops_usage: bool = False,
    used: Hearer = _nobody,
) -> None:
    """Give the client an engine's answer: its status, these fields of the head, its body.

    When the client goes away this coroutine is cancelled; ``used`` hears what was used in any case.
    """
    body = connection.whole() if connection.length is not None else None
    if body is not None:
        reply.whole(connection.status, fields, body)
        used(usage_of(body))
        return
    reply.begin(connection.status, fields, connection.length)
    if reply.bodiless:
        reply.end()
    else:
        await pump(connection, reply, path=path, drops_usage=drops_usage, used=used)


async def pump(
    connection: EngineConnection,
    reply: Reply,
    *,
    path: str,
    drops_usage: bool = False,
    used: Hearer = _nobody,
) -> None:
    """Move the body into an answer that has been begun. A slow client slows its engine."""
    sink = _sink(reply, streams=told(connection.head).streams, drops_usage=drops_usage)
    reply.fed_by(connection)
    try:
        await connection.pour(sink)
    except BrokenOffError as error:
        _broken_off(connection, reply, error, path)
    finally:
        used(sink.usage)


def _broken_off(
    connection: EngineConnection, reply: Reply, error: BrokenOffError, path: str
) -> None:
    """The engine ended in the middle of an answer whose status has long been sent.

    A stream gets a last event that says so; any other answer is cut, so that the client sees that
    it is not whole.
    """
    if told(connection.head).streams and connection.length is None:
        status = error.http_status
        said = error_object(error.message, status=status, code=error.code)
        reply.write((error_event(said, status, path),))
