"""An engine's own error, put into words that fit a stream which has begun with 200."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress

from sparkwell.gateway.envelope import error_object, kind
from sparkwell.gateway.wire.engine import EngineConnection
from sparkwell.gateway.wire.errors import BrokenOffError

MOST_BYTES = 64 * 1024
"""How much of an error is read; vLLM's longest, about a schema, are a few kilobytes."""

MOST_SHOWN = 2000
"""Characters of an error that is no JSON: a page for people, or a traceback."""


async def error_of(upstream: EngineConnection) -> dict[str, object]:
    """The error for an answer that is no stream of events."""
    if upstream.status < 400:
        message = f"The engine did not answer with a stream of events (status {upstream.status})."
        return error_object(message, status=502, code="engine_no_stream")
    return in_envelope(upstream.status, await _beginning(upstream))


class _Gathering:
    """Takes a body in, as far as it is wanted; then no more of it."""

    def __init__(self, upstream: EngineConnection) -> None:
        self.body = bytearray()
        self._upstream = upstream

    def take(self, pieces: Sequence[bytes], *, last: bool) -> None:
        """Keep the pieces."""
        self.body += b"".join(pieces)
        if len(self.body) >= MOST_BYTES and not last:
            self._upstream.close()


async def _beginning(upstream: EngineConnection) -> bytes:
    """The body, or as much of it as comes and is wanted."""
    gathering = _Gathering(upstream)
    upstream.resume()
    with suppress(BrokenOffError):
        await upstream.pour(gathering)
    return bytes(gathering.body[:MOST_BYTES])


def in_envelope(status: int, body: bytes) -> dict[str, object]:
    """What stands under ``error``, from an engine's answer with that status.

    vLLM's and Ollama's own shapes are known. An engine that gives no code gets the status as one:
    the client cannot see it anywhere else.
    """
    said = _said(body)
    message = said.get("message")
    if not isinstance(message, str) or not message:
        message = _text(body) or f"The engine answered with status {status}."
    return {
        "message": message,
        "type": _text_or_none(said.get("type")) or kind(status),
        "param": _text_or_none(said.get("param")),
        "code": _code(said.get("code"), status),
    }


def _said(body: bytes) -> Mapping[str, object]:
    """The object with the message: all of it, or what is under ``error``."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    error = document.get("error", document)
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else {}


def _text(body: bytes) -> str:
    return body.decode(errors="replace").strip()[:MOST_SHOWN]


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _code(value: object, status: int) -> str | int:
    return value if isinstance(value, str | int) and not isinstance(value, bool) else status
