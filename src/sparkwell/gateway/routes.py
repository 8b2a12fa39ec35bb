"""Which paths there are, what each takes, and where it leads.

What vLLM has beside these is not for clients: loading adapters from a path, sleeping, running code
in its workers. So paths are named here one by one, and nothing is passed on by a pattern.
"""

import re
from dataclasses import dataclass
from enum import Enum

from sparkwell.core.errors import SparkwellError, UsageError
from sparkwell.gateway.caller import Room


class Way(Enum):
    """Who answers a path."""

    RELAY = "relay"
    """The engine of the model that the body names."""
    RESPONSES = "responses"
    """Whichever engine knows the response that the path names."""
    PAGES = "pages"
    """The pages behind the gateway."""
    PREFLIGHT = "preflight"
    """Nobody: a browser asks whether a page may ask."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a path leads. ``methods`` empty: the pages decide. ``engine_path`` is the engine's."""

    way: Way
    room: Room
    methods: tuple[str, ...] = ()
    engine_path: str = ""


class NoEndpointError(UsageError):
    """There is nothing at this path."""

    code = "not_found"
    http_status = 404


class NoResponseError(UsageError):
    """No engine knows the response that a path names."""

    code = "response_not_found"
    http_status = 404


class MethodError(SparkwellError):
    """There is something at this path, but it is not asked so."""

    code = "method_not_allowed"
    http_status = 405

    def __init__(self, path: str, method: str, allowed: tuple[str, ...]) -> None:
        names = ", ".join(allowed)
        super().__init__(f"{path} does not take {method}; it takes {names}.")
        self.headers = {"allow": names}


_SAME = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/rerank",
    "/v2/rerank",
    "/rerank",
    "/v1/score",
    "/score",
    "/tokenize",
    "/detokenize",
    "/pooling",
    "/classify",
    "/v1/messages",
    "/v1/messages/count_tokens",
)
_MOVED = {"/v1/tokenize": "/tokenize", "/v1/detokenize": "/detokenize", "/v1/pooling": "/pooling"}
RELAYED = {
    path: Route(Way.RELAY, Room.API, ("POST",), engine_path)
    for path, engine_path in ({path: path for path in _SAME} | _MOVED).items()
}
"""What goes to an engine, by path."""
GENERATES_NOTHING = frozenset({"/tokenize", "/detokenize", "/v1/messages/count_tokens"})
"""Paths of engines where a tokenizer answers: the model does not see the text."""

_RESPONSE = re.compile(r"/v1/responses/[^/]+")
_CANCEL = re.compile(r"/v1/responses/[^/]+/cancel")
_PAGE = Route(Way.PAGES, Room.PAGES)
_OWN = {
    "/": Room.PAGES,
    "/docs": Room.PAGES,
    "/openapi.json": Room.PAGES,
    "/metrics": Room.PAGES,
    "/health": Room.HEALTH,
}
_READ = ("GET", "HEAD")


def route_of(path: str, method: str) -> Route:
    """Where a request leads; raises NoEndpointError or MethodError."""
    route = RELAYED.get(path) or _other(path)
    if route is None:
        raise NoEndpointError(f"There is no endpoint {path}; /docs lists those that exist.")
    if route.methods and method not in route.methods:
        raise MethodError(path, method, route.methods)
    return route


def _other(path: str) -> Route | None:
    if path in _OWN:
        return Route(Way.PAGES, _OWN[path], _READ)
    if path == "/v1/models" or path.startswith("/v1/models/"):
        return Route(Way.PAGES, Room.API, _READ)
    if _RESPONSE.fullmatch(path):
        return Route(Way.RESPONSES, Room.API, ("GET",), path)
    if _CANCEL.fullmatch(path):
        return Route(Way.RESPONSES, Room.API, ("POST",), path)
    if path == "/ui" or path.startswith("/ui/"):
        return Route(Way.PAGES, Room.UI)
    return None
