"""`sparkwell pull ollama/NAME`: the server fetches, into its own store."""

import time
from pathlib import Path

from sparkwell.app.drivers import make_drivers
from sparkwell.app.fetching import Pulled
from sparkwell.catalog.ollama import parse_ollama
from sparkwell.cli.context import Context
from sparkwell.cli.progress import Show
from sparkwell.core.phases import PhaseMark
from sparkwell.drivers.ollama.api import OllamaApi
from sparkwell.drivers.ollama.fetch import server_version
from sparkwell.engines.ollama.state import key_of


async def pull_ollama(context: Context, model: str, show: Show) -> Pulled:
    """Have the server fetch a model that it lacks; one that was brought up for it ends again."""
    began_s = time.monotonic()
    name = parse_ollama(model)
    gpus = context.planning.here.device == "cuda"
    drivers = make_drivers(context.paths, context.settings, context.environ, gpus=gpus)
    was_up = await server_version(drivers.ollama.api) is not None
    before = await _size(drivers.ollama.api, name.key) if was_up else None

    def heard(mark: PhaseMark) -> None:
        show(mark.phase.label, mark.fraction, "")

    try:
        await drivers.ollama.fetch(name.short, heard)
        size = await _size(drivers.ollama.api, name.key) or 0
    finally:
        if not was_up:
            await drivers.ollama_server.stop()
    return Pulled(
        model=str(name),
        repo=None,
        revision=None,
        folder=Path(context.settings.folders.ollama),
        files=1,
        bytes=size,
        fetched_bytes=0 if before is not None else size,
        seconds=time.monotonic() - began_s,
        checked=False,
    )


async def _size(api: OllamaApi, key: str) -> int | None:
    """Bytes of a model on the server's disk; None when it is not there."""
    return next(
        (each.size_bytes or 0 for each in await api.tags() if key_of(each.name) == key), None
    )
