"""uvicorn and starlette serve, httpx asks."""

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

import contract

CLIENT = httpx.AsyncClient(
    transport=httpx.AsyncHTTPTransport(
        uds=contract.upstream_socket(), limits=httpx.Limits(max_connections=None)
    ),
    timeout=None,  # noqa: S113 -- generations may take any time
)


async def relay(request: Request) -> Response:
    """Pass one request on."""
    body = await limited_body(request)
    if body is None:
        return Response("too large", status_code=413)
    try:
        contract.model_of(body)
    except (ValueError, LookupError) as error:
        return Response(str(error), status_code=404)
    return await unless_gone(request, ask(body)) or Response(status_code=499)


async def ask(body: bytes) -> Response:
    """Ask the upstream; a stream is closed when its reader stops reading."""
    url = f"http://engine{contract.PATH}"
    asked = CLIENT.build_request("POST", url, content=body, headers=contract.HEADERS)
    upstream = await CLIENT.send(asked, stream=True)
    headers = {"Content-Type": upstream.headers["Content-Type"]}
    events = chunks(upstream)
    if not headers["Content-Type"].startswith("text/event-stream"):
        whole = b"".join([chunk async for chunk in events])
        return Response(whole, upstream.status_code, headers)
    return StreamingResponse(events, upstream.status_code, headers)


async def chunks(upstream: httpx.Response) -> AsyncIterator[bytes]:
    """Yield bytes as they come, not decompressed."""
    try:
        async for chunk in upstream.aiter_raw():
            yield chunk
    finally:
        await upstream.aclose()


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


app = Starlette(routes=[Route(contract.PATH, relay, methods=["POST"])])

if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop=sys.argv[2],
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )
