"""The HTTP side: vLLM's routes, and /fake/state for tests."""

import socket
import time
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sparkwell.testing.fake_engine import shapes
from sparkwell.testing.fake_engine.answering import Answering
from sparkwell.testing.fake_engine.arguments import EngineArguments
from sparkwell.testing.fake_engine.counters import Counters, prometheus
from sparkwell.testing.fake_engine.generation import ProblemError
from sparkwell.testing.fake_engine.log import Log
from sparkwell.testing.fake_engine.script import Script

_BODY_LIMIT = 64 * 2**20
_BACKLOG = 2048
_KEEP_ALIVE_S = 5.0  # vLLM's default: an idle connection is closed
_ABORT_S = 0.01  # requests are not waited for; 0 would mean "for ever" to aiohttp


async def listen(sock: socket.socket, app: web.Application) -> web.AppRunner:
    """Serve on a bound socket. A client that goes away cancels its generation."""
    runner = web.AppRunner(
        app,
        handler_cancellation=True,
        access_log=None,
        keepalive_timeout=_KEEP_ALIVE_S,
        shutdown_timeout=_ABORT_S,
    )
    await runner.setup()
    await web.SockSite(runner, sock, backlog=_BACKLOG).start()
    return runner


def build(
    arguments: EngineArguments, script: Script, version: str, log: Log, die: Callable[[], None]
) -> web.Application:
    """Put the application together."""
    counters = Counters()
    middlewares = [envelopes, access_log(log)]
    app = web.Application(client_max_size=_BODY_LIMIT, middlewares=middlewares)
    app.add_routes(facts(arguments, script, version, counters))
    app.add_routes(generations(Answering(arguments, script, counters, die)))
    return app


def facts(
    arguments: EngineArguments, script: Script, version: str, counters: Counters
) -> list[web.RouteDef]:
    """Answer what there is to know about the engine."""
    created = int(time.time())

    async def health(_: web.Request) -> web.StreamResponse:
        return web.Response()  # no body: the status is the answer

    async def say_version(_: web.Request) -> web.StreamResponse:
        return web.json_response({"version": version})

    async def models(_: web.Request) -> web.StreamResponse:
        return web.json_response(shapes.models(arguments, created))

    async def metrics(_: web.Request) -> web.StreamResponse:
        return web.Response(text=prometheus(counters, arguments, script))

    async def state(_: web.Request) -> web.StreamResponse:
        return web.json_response(counters.state())

    return [
        web.get("/health", health),
        web.get("/version", say_version),
        web.get("/v1/models", models),
        web.get("/metrics", metrics),
        web.get("/fake/state", state),
    ]


def generations(answering: Answering) -> list[web.RouteDef]:
    """Answer with tokens."""

    async def chat(request: web.Request) -> web.StreamResponse:
        return await answering.answer(request, chat=True)

    async def completion(request: web.Request) -> web.StreamResponse:
        return await answering.answer(request, chat=False)

    return [web.post("/v1/chat/completions", chat), web.post("/v1/completions", completion)]


@web.middleware
async def envelopes(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Put refusals into vLLM's envelope."""
    try:
        return await handler(request)
    except ProblemError as problem:
        return web.json_response(problem.envelope(), status=problem.status)
    except web.HTTPException as error:
        refusal = ProblemError(error.status, error.reason, error.reason)
        return web.json_response(refusal.envelope(), status=error.status)


def access_log(log: Log) -> Middleware:
    """Log requests as uvicorn does."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        line = f'INFO:     127.0.0.1:54222 - "{request.method} {request.path_qs} HTTP/1.1"'
        log.say(f"uvicorn {line} {response.status} {response.reason}")
        return response

    return middleware
