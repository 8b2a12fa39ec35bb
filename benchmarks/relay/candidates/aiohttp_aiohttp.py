"""aiohttp serves, aiohttp asks. ``handler_cancellation`` ends the upstream request."""

import asyncio
import sys
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

import contract

CLIENT = web.AppKey("client", aiohttp.ClientSession)


async def client(app: web.Application) -> AsyncIterator[None]:
    """Keep connections to the upstream as long as the server lives."""
    app[CLIENT] = aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(contract.upstream_socket(), limit=0),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
    )
    yield
    await app[CLIENT].close()


async def relay(request: web.Request) -> web.StreamResponse:
    """Pass one request on; its cancellation closes the connection to the upstream."""
    body = await request.read()
    try:
        contract.model_of(body)
    except (ValueError, LookupError) as error:
        return web.Response(status=404, text=str(error))
    url = f"http://engine{contract.PATH}"
    async with request.app[CLIENT].post(url, data=body, headers=contract.HEADERS) as upstream:
        headers = {"Content-Type": upstream.headers["Content-Type"]}
        if upstream.content_type != "text/event-stream":
            body = await upstream.read()
            return web.Response(status=upstream.status, body=body, headers=headers)
        response = web.StreamResponse(status=upstream.status, headers=headers)
        await response.prepare(request)
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
        return response


async def main(port: int) -> None:
    """Serve until killed."""
    app = web.Application(client_max_size=contract.BODY_LIMIT)
    app.cleanup_ctx.append(client)
    app.router.add_post(contract.PATH, relay)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[2] == "uvloop":
        import uvloop

        uvloop.run(main(int(sys.argv[1])))
    asyncio.run(main(int(sys.argv[1])))
