"""What the head of an engine's answer says, found out once for all answers that repeat it."""

from dataclasses import dataclass

from sparkwell.gateway import headers
from sparkwell.gateway.wire.head import AnswerHead, lines

_EVENTS = b"text/event-stream"
_BUFFERING = b"x-accel-buffering"


@dataclass(slots=True)
class Told:
    """``fields`` are the headers that the client gets.

    ``streams``: its body can go on where we have begun one: events, not packed, no error.
    """

    fields: bytes
    streams: bool


def told(head: AnswerHead) -> Told:
    """What a head says."""
    known = head.meaning
    if not isinstance(known, Told):
        known = head.meaning = _read(head)
    return known


def _read(head: AnswerHead) -> Told:
    named = dict(reversed(head.headers))  # the first of each
    kept = headers.from_engine(head.headers)
    streams = (
        head.status == 200
        and named.get(b"content-type", b"").lower().startswith(_EVENTS)
        and b"content-encoding" not in named
    )
    if streams and _BUFFERING not in named:
        kept.append(headers.EVENT_STREAM[-1])
    return Told(lines(kept), streams)
