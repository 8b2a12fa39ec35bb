"""Letting a request in, by its head alone: its path, who asks, how large it says it is."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from sparkwell.core.keys import Key
from sparkwell.gateway import access_errors, cors
from sparkwell.gateway.access import Door, tells_of_a_proxy
from sparkwell.gateway.caller import Caller, Room
from sparkwell.gateway.headers import REQUEST_ID, request_id
from sparkwell.gateway.routes import Route, Way, route_of
from sparkwell.gateway.sending import Outbound
from sparkwell.gateway.wire.errors import BadRequestError
from sparkwell.gateway.wire.head import Head, lines
from sparkwell.gateway.wire.incoming import too_large
from sparkwell.gateway.wire.limits import Limits

_VISIBLE = re.compile(rb"[!-~]+")
# What some readers take for a step up, a second slash or an end, and others for a name.
_TWO_WAYS = re.compile(rb"//|\\|/\.{1,2}(?:/|$)|%2e|%5c|%00|%25|;", re.IGNORECASE)
_PACKED_SLASH = re.compile(rb"%2f", re.IGNORECASE)
_MODELS = b"/v1/models/"
_REMEMBERED = 256
"""Clients say the same again and again; what it means is remembered for so many."""
_PREFLIGHT = Route(Way.PREFLIGHT, Room.API)


@dataclass(slots=True)  # frozen would take three times as long to make, once a request
class Admitted:
    """A request that may come in: where it leads, who sends it, by which key."""

    route: Route
    path: str
    caller: Caller
    key: Key | None
    request_id: bytes
    most_body: int
    cors: bytes
    outbound: Outbound


@dataclass(slots=True)
class _Meaning:
    """What a head says, and what says the same each time that it comes again on its connection."""

    route: Route
    path: str
    caller: Caller
    cors: bytes
    outbound: Outbound


def admit(
    head: Head, peer: str | None, door: Door, limits: Limits, origins: Collection[str] = ()
) -> Admitted:
    """Let a request in; raises SparkwellError that says why not.

    ``origins`` are those whose pages may ask, beside our own.
    """
    meant = head.meaning
    if not isinstance(meant, _Meaning):
        meant = head.meaning = _meaning(head, peer, origins)
    route, caller = meant.route, meant.caller
    key = None if route is _PREFLIGHT else door.check(caller, route.room)
    relayed = route.way is Way.RELAY
    if relayed and caller.media_type != "application/json":
        raise access_errors.not_json(caller.media_type)
    most = limits.body if relayed else limits.page_body
    if head.length is not None and head.length > most:
        raise too_large(most)
    given = request_id(head.named.get(REQUEST_ID))
    return Admitted(route, meant.path, caller, key, given, most, meant.cors, meant.outbound)


def _meaning(head: Head, peer: str | None, origins: Collection[str]) -> _Meaning:
    path = checked_path(head.target)
    caller = caller_of(head, path, peer)
    outbound = Outbound(head.headers)
    if origins and head.method == "OPTIONS" and (told := _preflight(head, path, origins)):
        return _Meaning(_PREFLIGHT, path, caller, lines(told), outbound)
    route = route_of(path, head.method)
    told = cors.answer_headers(caller.origin, origins) if route.room is Room.API else []
    return _Meaning(route, path, caller, lines(told), outbound)


def _preflight(head: Head, path: str, origins: Collection[str]) -> cors.Headers | None:
    """What a browser is told that asks whether a page may ask; it sends no key with that."""
    method = head.text(b"access-control-request-method")
    route = route_of(path, method) if method else None
    if route is None or route.room is not Room.API:
        return None
    wanted = head.text(b"access-control-request-headers")
    return cors.preflight_headers(head.text(b"origin"), method, wanted, origins)


@lru_cache(_REMEMBERED)
def checked_path(target: bytes) -> str:
    """The path of a target; raises BadRequestError for one that can be understood in two ways."""
    path = target.partition(b"?")[0]
    if not target.startswith(b"/") or not _VISIBLE.fullmatch(target):
        raise BadRequestError("A path begins with a slash, and has visible ASCII characters only.")
    if _TWO_WAYS.search(path) or (_PACKED_SLASH.search(path) and not path.startswith(_MODELS)):
        raise BadRequestError("This path can be understood in more than one way.")
    return path.decode("ascii")


def caller_of(head: Head, path: str, peer: str | None) -> Caller:
    """Who asks, as the head says."""
    named = head.named
    return Caller(
        method=head.method,
        path=path,
        peer=peer,
        host=head.text(b"host"),
        origin=head.text(b"origin"),
        site=head.text(b"sec-fetch-site"),
        mode=head.text(b"sec-fetch-mode"),
        # nginx until 1.29 speaks HTTP/1.0 to those behind it, and adds no header of its own.
        forwarded=not head.later or _tell_of_a_proxy(tuple(named)),
        secret=_secret(head),
        media_type=_media_type(named.get(b"content-type")),
    )


def _secret(head: Head) -> str | None:
    bearer = head.text(b"authorization")
    if bearer is not None:
        scheme, _, secret = bearer.partition(" ")
        if scheme.lower() == "bearer":
            return secret.strip() or None
    return head.text(b"x-api-key")


_tell_of_a_proxy = lru_cache(_REMEMBERED)(tells_of_a_proxy)


@lru_cache(_REMEMBERED)
def _media_type(declared: bytes | None) -> str | None:
    if declared is None:
        return None
    return declared.decode("latin-1").partition(";")[0].strip().lower()
