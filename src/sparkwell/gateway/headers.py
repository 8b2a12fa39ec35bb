"""Which headers go through the gateway, and those that it adds."""

import itertools
import re
import secrets
from collections.abc import Mapping

from sparkwell.gateway.wire.head import Headers, lines

MODEL = "x-sparkwell-model"
INSTANCE = "x-sparkwell-instance"
QUEUED_MS = "x-sparkwell-queued-ms"
LOAD_MS = "x-sparkwell-load-ms"
REQUEST_ID = b"x-request-id"

OWN = b"x-sparkwell-"
"""What begins so is between the gateway and the pages behind it: no client may say it."""

# Headers that belong to one connection.
_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
        b"content-length",
        b"expect",
    }
)
# The client's name, keys and cookies are not the engine's affair.
_NOT_FOR_ENGINES = _HOP | {
    b"host",
    b"authorization",
    b"x-api-key",
    b"cookie",
    b"content-encoding",  # the body has been unpacked on its way in
    b"origin",
    REQUEST_ID,
}
_NOT_FOR_PAGES = _HOP | {REQUEST_ID}
# Written by the gateway itself, or about a browser that is at the dashboard's address.
_NOT_FROM_ENGINES = _HOP | {
    b"date",
    b"server",
    b"set-cookie",
    b"clear-site-data",
    b"strict-transport-security",
    b"alt-svc",
    b"access-control-allow-origin",
    b"access-control-allow-credentials",
    b"access-control-allow-headers",
    b"access-control-allow-methods",
    b"access-control-expose-headers",
    REQUEST_ID,
}
_NOT_FROM_PAGES = _HOP | {b"date", b"server", REQUEST_ID}
_PACKED = b"accept-encoding"
_PROCESS = secrets.token_hex(10).encode("ascii")
_NUMBERS = itertools.count(1)
"""Ids of this process: what begins them is random, so that they are unique elsewhere, too."""
_ID = re.compile(rb"[!-~]{1,128}")


def for_engine(headers: Headers, *, plain: bool) -> Headers:
    """A request's headers for the engine; ``plain`` asks for an answer that is not compressed."""
    stopped = _NOT_FOR_ENGINES | {_PACKED} if plain else _NOT_FOR_ENGINES
    return _without(headers, stopped)


def for_pages(headers: Headers) -> Headers:
    """A request's headers for the pages behind the gateway."""
    return _without(headers, _NOT_FOR_PAGES)


def from_engine(headers: Headers) -> Headers:
    """An engine's headers for the client; an engine must not sign anybody out of the dashboard."""
    return _without(headers, _NOT_FROM_ENGINES)


def from_pages(headers: Headers) -> Headers:
    """The headers of a page for the client."""
    return _without(headers, _NOT_FROM_PAGES)


def _without(headers: Headers, stopped: frozenset[bytes]) -> Headers:
    for name, value in headers:
        if name == b"connection" and value.lower() not in (b"keep-alive", b"close"):
            # A sender may name more headers that end with the connection.
            stopped |= {each.strip().lower() for each in value.split(b",")}
    return [each for each in headers if each[0] not in stopped and not each[0].startswith(OWN)]


def request_id(given: bytes | None) -> bytes:
    """The client's own id of its request, if it can be one; else a new one."""
    if given is not None and _ID.fullmatch(given):
        return given
    return b"%b%012x" % (_PROCESS, next(_NUMBERS))


def encoded(headers: Mapping[str, str]) -> Headers:
    """Headers of ours as bytes. A value that could end its line loses what could."""
    return [
        (name.encode("latin-1", "replace"), _one_line(value)) for name, value in headers.items()
    ]


def fields(headers: Mapping[str, str]) -> bytes:
    """Headers of ours as they are sent."""
    if not headers:
        return b""
    text = "".join([f"{name}: {value}\n" for name, value in headers.items()])
    if _PLAIN.fullmatch(text) and text.count("\n") == len(headers):  # mostly: a key's limits
        return text.replace("\n", "\r\n").encode("ascii")
    return lines(encoded(headers))


def _one_line(value: str) -> bytes:
    clean = value.encode("latin-1", "replace")
    return (
        clean if clean.isascii() and clean.decode("ascii").isprintable() else _ODD.sub(b"?", clean)
    )


_PLAIN = re.compile(r"[ -~\n]*")
_ODD = re.compile(rb"[^\t -~\x80-\xff]")

EVENT_STREAM: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx passes it on at once, then
]
"""The head of a stream that is committed before the engine's own is known."""
