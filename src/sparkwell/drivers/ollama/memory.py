"""A model into the server's memory and out of it, and whether it is there: asked and made sure."""

import asyncio
import contextlib
import logging
import time

from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.launch import LaunchSpec
from sparkwell.drivers.ollama.api import FOREVER, NotOllamaError, OllamaApi, ServerGoneError
from sparkwell.drivers.ollama.fetch import Say
from sparkwell.engines.ollama import CONTAINER, log
from sparkwell.engines.ollama.answers import Loaded
from sparkwell.engines.ollama.explain import ModelMissingError
from sparkwell.engines.ollama.launch import context_of, source_of
from sparkwell.engines.ollama.state import find_loaded

HALF_WAY = "10m"
"""keep_alive of a model that is being loaded: should nobody be there to keep it afterwards."""
LOOK_S = 0.1

logger = logging.getLogger(__name__)


async def load(api: OllamaApi, spec: LaunchSpec, say: Say) -> None:
    """Load a model that is on the server's disk; it stays until it is unloaded."""
    source, served, num_ctx = source_of(spec).short, str(spec.served_model), context_of(spec)
    began = time.monotonic()
    say(log.loading(source, num_ctx))
    await api.create(served, source, {"num_ctx": num_ctx})
    await api.load(served, num_ctx, HALF_WAY)
    await api.load(served, num_ctx, FOREVER)
    state = find_loaded(spec, await api.ps())
    if state is None:
        raise EnvironmentFault(
            f"Ollama says that {source} is loaded, but does not list it.",
            hint="It may have made room for another model: `ollama ps` shows which.",
        )
    say(log.loaded(source, time.monotonic() - began, state))


async def unload(api: OllamaApi, spec: LaunchSpec, say: Say, patience_s: float) -> None:
    """Return when /api/ps lists it no more; without a server there is nothing to unload.

    Raises EnvironmentFault when it is still there after ``patience_s`` seconds.
    """
    try:
        with contextlib.suppress(ModelMissingError):
            await api.unload(str(spec.served_model))
        until = time.monotonic() + patience_s
        while find_loaded(spec, await api.ps()):
            if time.monotonic() > until:
                raise _still_there(spec, patience_s)
            await asyncio.sleep(LOOK_S)
    except (ServerGoneError, NotOllamaError):
        say(log.server_gone(api.where))
        return
    say(log.unloaded(source_of(spec).short))
    await tidy(api, spec)


async def tidy(api: OllamaApi, spec: LaunchSpec) -> None:
    """Remove the name that was made for an instance: the files are those of its source."""
    with contextlib.suppress(EnvironmentFault):
        await api.delete(str(spec.served_model))


async def abandon(api: OllamaApi, spec: LaunchSpec) -> None:
    """Undo a load that has come to nothing, as far as there is something to undo."""
    with contextlib.suppress(EnvironmentFault):
        await api.unload(str(spec.served_model))
    await tidy(api, spec)


async def has_gone(api: OllamaApi, spec: LaunchSpec) -> tuple[str | None, Loaded | None]:
    """Why an instance is over, as a line for its log, or its entry in /api/ps.

    Neither, when the server is there and gives no answer: it may well be busy.
    """
    try:
        state = find_loaded(spec, await api.ps())
    except (ServerGoneError, NotOllamaError):
        return log.server_gone(api.where), None
    except EnvironmentFault as error:
        logger.debug("%s: %s", spec.instance, error)
        return None, None
    return (None, state) if state else (log.unloaded_by_others(source_of(spec).short), None)


async def keep(api: OllamaApi, spec: LaunchSpec, state: Loaded, say: Say) -> None:
    """Somebody's own request may have given the model an end: take it away again."""
    if state.is_kept:
        return
    say(log.kept_again(source_of(spec).short))
    with contextlib.suppress(EnvironmentFault):  # seen by the next look, if it has gone
        await api.load(str(spec.served_model), context_of(spec), FOREVER)


def _still_there(spec: LaunchSpec, patience_s: float) -> EnvironmentFault:
    return EnvironmentFault(
        f"Ollama still has {source_of(spec).short} in memory {patience_s:.0f} s after it was asked "
        "to unload it: a request is running.",
        hint="It goes when that ends. To end it now, restart the server: "
        f"`docker restart {CONTAINER}`, or as you started your own.",
    )
