"""Who asks, and how. These pages are asked by the gateway alone, which says it in headers.

What a client itself sends by these names ends at the gateway.
"""

from aiohttp import web

from sparkwell.core.hosts import scheme_asked

PEER = "x-sparkwell-peer"
SCHEME = "x-sparkwell-scheme"


def peer_of(request: web.Request) -> str | None:
    """The client's address; None where it came over a Unix socket."""
    return request.headers.get(PEER)


def scheme_of(request: web.Request) -> str:
    """How the client asked: http or https."""
    return "https" if request.headers.get(SCHEME) == "https" else "http"


def base_of(request: web.Request) -> str:
    """The URL of this host as the client has it, behind a proxy too; to be shown."""
    own, forwarded = request.headers.get(SCHEME), request.headers.get("x-forwarded-proto")
    return f"{scheme_asked(own, forwarded)}://{request.host}"
