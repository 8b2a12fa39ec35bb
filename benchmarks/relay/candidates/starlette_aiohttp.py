"""uvicorn and starlette serve, aiohttp asks."""

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

import contract


@asynccontextmanager
async def client(app: Starlette) -> AsyncIterator[None]:
    """Keep connections to the upstream as long as the server lives."""
    async with aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(contract.upstream_socket(), limit=0),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
    ) as app.state.client:
        yield


async def relay(request: Request) -> Response:
    """Pass one request on."""
    body = await limited_body(request)
    if body is None:
        return Response("too large", status_code=413)
    try:
        contract.model_of(body)
    except (ValueError, LookupError) as error:
        return Response(str(error), status_code=404)
    work = ask(request.app.state.client, body)
    return await unless_gone(request, work) or Response(status_code=499)


async def ask(session: aiohttp.ClientSession, body: bytes) -> Response:
    """Ask the upstream; a stream is closed when its reader stops reading."""
    url = f"http://engine{contract.PATH}"
    upstream = await session.post(url, data=body, headers=contract.HEADERS)
    headers = {"Content-Type": upstream.headers["Content-Type"]}
    if upstream.content_type != "text/event-stream":
        async with upstream:
            return Response(await upstream.read(), upstream.status, headers)
    return StreamingResponse(chunks(upstream), upstream.status, headers)


async def chunks(upstream: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield bytes as they come."""
    async with upstream:
        async for chunk in upstream.content.iter_any():
            yield chunk


async def limited_body(request: Request) -> bytes | None:
    """Read the body; None when it is too large. Neither uvicorn nor starlette has a limit."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > contract.BODY_LIMIT:
            return None
    return body


async def unless_gone(request: Request, work: Coroutine[Any, Any, Response]) -> Response | None:
    """Do the work, or cancel it when the client goes away first: ASGI leaves that to us."""
    task, gone = asyncio.create_task(work), asyncio.create_task(disconnected(request))
    try:
        await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        gone.cancel()


async def disconnected(request: Request) -> None:
    """Wait until the client goes away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


app = Starlette(routes=[Route(contract.PATH, relay, methods=["POST"])], lifespan=client)

if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop=sys.argv[2],
        http="httptools",
        access_log=False,
        log_level="warning",
    )
