"""Bringing the server up and a model onto its disk: what a load needs first."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from sparkwell.catalog.ollama import OllamaName
from sparkwell.core.errors import EnvironmentFault
from sparkwell.drivers.ollama.api import OllamaApi, ServerGoneError
from sparkwell.engines.ollama import CONTAINER, log
from sparkwell.engines.ollama.answers import PullProgress
from sparkwell.engines.ollama.state import key_of

OnShare = Callable[[float | None], None]
"""Told which share of the server's image is here (0 to 1); None when unknown."""
Serve = Callable[[OnShare], Awaitable[None]]
"""Brings the server up and returns when it runs; raises SparkwellError when it cannot."""
Say = Callable[[str], None]
"""Takes a line of the log."""
_PORT_OPENS_S = 60.0


async def server_version(api: OllamaApi) -> str | None:
    """The version of the server, None when nobody takes connections there.

    Raises EnvironmentFault when something else answers.
    """
    try:
        return await api.version()
    except ServerGoneError:
        return None


def no_server(api: OllamaApi) -> EnvironmentFault:
    """What to say when there is no server, and nobody to start one."""
    return EnvironmentFault(
        f"Ollama does not answer at {api.where}, and Sparkwell has nothing to start it with.",
        hint="Start it: `docker compose up -d ollama`, or `ollama serve`.",
    )


async def ensure_server(api: OllamaApi, serve: Serve | None, say: Say) -> str:
    """The server's version, after it has been brought up if need be."""
    version = await server_version(api)
    if version is None:
        if serve is None:
            raise no_server(api)
        say(log.starting_server())
        await serve(_telling(say))
        version = await _opened(api)
    say(log.answers(version, api.where))
    return version


async def ensure_model(api: OllamaApi, name: OllamaName, say: Say) -> None:
    """Download a model that the server does not have; nothing when it is there."""
    if name.key in {key_of(each.name) for each in await api.tags()}:
        return
    began = time.monotonic()
    progress, last = PullProgress(), ""
    say(log.pulling(name.short, None, 0))
    async with aclosing(api.pull(name.short)) as events:
        async for event in events:
            progress.feed(event)
            line = log.pulling(name.short, progress.fraction, progress.total_bytes)
            if line != last and progress.fraction is not None:
                say(line)
            last = line
    say(log.pulled(name.short, time.monotonic() - began))


def _telling(say: Say) -> OnShare:
    """Shares of the image as lines of the log, one a percent."""
    last = ""

    def on_share(share: float | None) -> None:
        nonlocal last
        line = log.fetching_image(share)
        if line != last:
            say(line)
        last = line

    return on_share


async def _opened(api: OllamaApi) -> str:
    """A server that has been started listens a little later."""
    until = time.monotonic() + _PORT_OPENS_S
    while (version := await server_version(api)) is None:
        if time.monotonic() > until:
            raise EnvironmentFault(
                f"Ollama's server was started, but does not answer at {api.where} after "
                f"{_PORT_OPENS_S:.0f} s.",
                hint=f"`docker logs {CONTAINER}` shows why.",
            )
        await asyncio.sleep(0.2)
    return version
