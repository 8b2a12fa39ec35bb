"""Who asks, and how. These pages are asked by the gateway alone, which says it in headers.

What a client itself sends by these names ends at the gateway.
"""

from aiohttp import web

PEER = "x-sparkwell-peer"
SCHEME = "x-sparkwell-scheme"


def peer_of(request: web.Request) -> str | None:
    """The client's address; None where it came over a Unix socket."""
    return request.headers.get(PEER)


def scheme_of(request: web.Request) -> str:
    """How the client asked: http or https."""
    return "https" if request.headers.get(SCHEME) == "https" else "http"
