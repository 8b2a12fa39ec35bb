"""Moving bytes between a client and an engine, without reading them."""

import asyncio
import io
import logging
import os
from collections.abc import Mapping

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from sparkwell.core.launch import Endpoint
from sparkwell.gateway.envelope import error_body, error_response

logger = logging.getLogger(__name__)

# vLLM closes idle connections after 5 s; a POST on one that it is just closing would be lost.
KEEP_ALIVE_S = 4.0

_LARGE = 1024 * 1024
# Headers that belong to one connection, and those that each side writes itself.
_NOT_RELAYED = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
        "content-length",
        "expect",
        "authorization",
        "cookie",
        "date",
        "server",
    }
)


class Relay:
    """A pool of connections to each engine."""

    def __init__(self) -> None:
        self._sessions: dict[Endpoint, aiohttp.ClientSession] = {}
        self._closing: set[asyncio.Future[None]] = set()

    async def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def forward(
        self, request: web.Request, endpoint: Endpoint, body: bytes | None
    ) -> web.StreamResponse:
        """Send the request to the engine and its answer to the client.

        When the client goes away this coroutine is cancelled; leaving the ``async with`` then
        closes the connection to the engine, which stops generating.
        """
        session = self._session(endpoint)
        url = endpoint.url(request.path_qs)
        headers = relayed(request.headers)
        headers.popall("Content-Encoding", None)  # the body has been unpacked on its way in
        try:
            upstream = await session.request(
                request.method, url, data=_payload(body), headers=headers, allow_redirects=False
            )
        except (aiohttp.ClientError, OSError) as error:
            logger.warning("The engine cannot be reached: %s", error)
            return error_response(
                "The engine cannot be reached; it may just have ended.",
                status=503,
                code="engine_unreachable",
            )
        async with upstream:
            return await _answer(request, upstream)

    def _session(self, endpoint: Endpoint) -> aiohttp.ClientSession:
        if endpoint not in self._sessions:
            self._forget_the_gone()
            self._sessions[endpoint] = _new_session(endpoint)
        return self._sessions[endpoint]

    def _forget_the_gone(self) -> None:
        """Every start of an engine has a socket of its own; those of ended ones are left."""
        for endpoint in [known for known in self._sessions if _has_gone(known)]:
            task = asyncio.ensure_future(self._sessions.pop(endpoint).close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def _has_gone(endpoint: Endpoint) -> bool:
    return endpoint.uds is not None and not os.path.exists(endpoint.uds)  # noqa: PTH110


def relayed(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """The headers that go through; the client's key and cookies are not the engine's affair."""
    # A sender may name more headers that end with the connection.
    given = (value for name, value in headers.items() if name.lower() == "connection")
    named = {name.strip().lower() for value in given for name in value.split(",")}
    stopped = _NOT_RELAYED | named
    return CIMultiDict(
        (name, value) for name, value in headers.items() if name.lower() not in stopped
    )


def _payload(body: bytes | None) -> bytes | io.BytesIO | None:
    """A large body goes in pieces, so that others get their turn meanwhile."""
    return io.BytesIO(body) if body and len(body) > _LARGE else body


def _new_session(endpoint: Endpoint) -> aiohttp.ClientSession:
    """No limit and no time-out: how long an answer may take is the client's decision."""
    connector: aiohttp.BaseConnector = (
        aiohttp.UnixConnector(endpoint.uds, limit=0, keepalive_timeout=KEEP_ALIVE_S)
        if endpoint.uds
        else aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S)
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Content-Type", "Accept", "Accept-Encoding"),
    )


async def _answer(request: web.Request, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=upstream.status, headers=relayed(upstream.headers))
    if upstream.content_length is not None:
        response.content_length = upstream.content_length
    await response.prepare(request)
    try:
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
    except (aiohttp.ClientError, OSError) as error:
        await _broken_off(request, response, upstream, error)
        return response
    await response.write_eof()
    return response


async def _broken_off(
    request: web.Request,
    response: web.StreamResponse,
    upstream: aiohttp.ClientResponse,
    error: Exception,
) -> None:
    """The engine ended in the middle of an answer whose status has long been sent.

    A stream gets a last event that says so; any other answer is cut, so that the client sees
    that it is not whole.
    """
    if not isinstance(error, ConnectionError):  # else it is the client who has gone
        logger.warning("The engine broke off an answer: %s", error)
    streams = upstream.content_type == "text/event-stream" and upstream.content_length is None
    if streams and not isinstance(error, ConnectionError):
        message = "The engine ended while it was answering."
        body = error_body(message, status=502, code="engine_ended")
        await response.write(b"data: " + body + b"\n\n")
    if request.transport is not None:
        request.transport.close()
    await asyncio.sleep(0)
