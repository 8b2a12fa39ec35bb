"""The HTTP side: vLLM's routes, and /fake/state for tests."""

import asyncio
import os
import socket
import time
from functools import partial
from math import inf

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sparkwell.testing.fake_engine import shapes
from sparkwell.testing.fake_engine.answering import Answering
from sparkwell.testing.fake_engine.arguments import EngineArguments
from sparkwell.testing.fake_engine.counters import Counters, prometheus
from sparkwell.testing.fake_engine.hanging import Hang
from sparkwell.testing.fake_engine.log import Log
from sparkwell.testing.fake_engine.problems import ProblemError
from sparkwell.testing.fake_engine.process import Process
from sparkwell.testing.fake_engine.routes import model_routes
from sparkwell.testing.fake_engine.script import Script
from sparkwell.testing.fake_engine.sleeping import Sleeping

_BODY_LIMIT = 64 * 2**20
_BACKLOG = 2048
_KEEP_ALIVE_S = 5.0  # vLLM's default: an idle connection is closed
_DEV_MODE = "VLLM_SERVER_DEV_MODE"  # routes that vLLM offers to its developers alone
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
    arguments: EngineArguments, script: Script, version: str, log: Log, process: Process
) -> web.Application:
    """Put the application together; called when the engine is ready."""
    counters = Counters()
    hang = Hang(partial(prometheus, counters, arguments, script))
    sleeping = Sleeping(script, version, counters, process, frees=arguments.sleep_mode)
    middlewares = [envelopes, access_log(log)]
    app = web.Application(client_max_size=_BODY_LIMIT, middlewares=middlewares)
    app.add_routes(facts(arguments, version, counters, hang))
    app.add_routes([web.get("/health", health(script.health_hangs_after_s))])
    app.add_routes(sleeping.routes() if os.environ.get(_DEV_MODE) == "1" else [])
    answering = Answering(arguments, script, counters, process.die, hang, sleeping)
    app.add_routes(model_routes(arguments, answering))
    begin_hanging(script, hang)
    return app


def begin_hanging(script: Script, hang: Hang) -> None:
    """Hang when the script says so."""
    after_s = 0.0 if script.health_ok_but_no_tokens else script.hang_after_s
    if after_s == 0:
        hang.begin()
    elif after_s is not None:
        asyncio.get_running_loop().call_later(after_s, hang.begin)


def health(hangs_after_s: float | None) -> Handler:
    """Answer without a body, the status is the answer; from some moment on not at all."""
    end = inf if hangs_after_s is None else time.monotonic() + hangs_after_s

    async def handler(_: web.Request) -> web.StreamResponse:
        if time.monotonic() >= end:
            await asyncio.Event().wait()
        return web.Response()

    return handler


def facts(
    arguments: EngineArguments, version: str, counters: Counters, hang: Hang
) -> list[web.RouteDef]:
    """Answer what there is to know about the engine."""
    created = int(time.time())

    async def say_version(_: web.Request) -> web.StreamResponse:
        return web.json_response({"version": version})

    async def models(_: web.Request) -> web.StreamResponse:
        return web.json_response(shapes.models(arguments, created))

    async def metrics(_: web.Request) -> web.StreamResponse:
        return web.Response(text=hang.metrics())

    async def state(_: web.Request) -> web.StreamResponse:
        return web.json_response(counters.state())

    return [
        web.get("/version", say_version),
        web.get("/v1/models", models),
        web.get("/metrics", metrics),
        web.get("/fake/state", state),
    ]


@web.middleware
async def envelopes(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Put refusals into vLLM's envelopes; of a path that it has not it says no more than that."""
    try:
        return await handler(request)
    except ProblemError as problem:
        return web.json_response(problem.envelope(request.path), status=problem.status)
    except web.HTTPException as error:
        return web.json_response({"detail": error.reason}, status=error.status)


def access_log(log: Log) -> Middleware:
    """Log requests as uvicorn does."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        line = f'INFO:     127.0.0.1:54222 - "{request.method} {request.path_qs} HTTP/1.1"'
        log.say(f"uvicorn {line} {response.status} {response.reason}")
        return response

    return middleware
