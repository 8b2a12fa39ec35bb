"""Runs the fake server until a signal ends it."""

import asyncio
import os
import signal
import sys

from aiohttp import web

from sparkwell.testing.fake_ollama.arguments import FakeArguments, read_arguments
from sparkwell.testing.fake_ollama.bodies import refusals
from sparkwell.testing.fake_ollama.library import Library
from sparkwell.testing.fake_ollama.native import Native
from sparkwell.testing.fake_ollama.openai import OpenAi, envelopes
from sparkwell.testing.fake_ollama.scheduler import Scheduler


async def serve(arguments: FakeArguments) -> None:
    """Listen until SIGTERM or SIGINT; requests are broken off then."""
    await asyncio.sleep(arguments.serve_after_s)
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    runner = web.AppRunner(
        build(arguments), handler_cancellation=True, access_log=None, shutdown_timeout=0.01
    )
    await runner.setup()
    await web.TCPSite(runner, arguments.host, arguments.port).start()
    print(f"Listening on {arguments.host}:{arguments.port}", flush=True)
    await told.wait()
    await runner.cleanup()


def build(arguments: FakeArguments) -> web.Application:
    """Put the application together."""
    stored, scheduler = Library(list(arguments.models)), Scheduler(arguments)
    app = web.Application(middlewares=[refusals, envelopes])
    app.add_routes(Native(arguments, stored, scheduler).routes())
    app.add_routes(OpenAi(stored, scheduler, arguments.token_s).routes())
    return app


if __name__ == "__main__":
    asyncio.run(serve(read_arguments(sys.argv[1:], os.environ)))
