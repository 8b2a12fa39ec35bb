"""GET /metrics: what the backend tells Prometheus."""

from aiohttp import web

from sparkwell.gateway.backend import Backend

_HEADERS = {
    "Content-Type": "text/plain; version=0.0.4; charset=utf-8",
    # Names and labels come from engines: no browser shall take the page for one of its own.
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


async def metrics_response(backend: Backend) -> web.Response:
    """The page as it is now."""
    return web.Response(body=await backend.metrics(), headers=_HEADERS)
