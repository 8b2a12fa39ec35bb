"""What ran of a model before a measurement that starts it anew, and runs again after it."""

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from sparkwell.cli.bringing_up import Wanted, bring_up
from sparkwell.cli.client import AdminClient, Json, is_running, run
from sparkwell.cli.daemon import daemon_gone
from sparkwell.cli.telling import tell
from sparkwell.core.errors import SparkwellError

if TYPE_CHECKING:
    from sparkwell.cli.context import Context

GONE = ("failed", "stopped", "stopping")


@dataclass(frozen=True, slots=True)
class Earlier:
    """Whether a daemon ran, and what `up` was given for the model; None where it did not run.

    ``served`` says that the daemon was no command's, but somebody's who runs `serve`, or a
    service's. ``started_at`` is when the model's start began, in Unix time, where that is known.
    """

    daemon: bool
    given: Json | None = None
    served: bool = False
    started_at: float | None = None


async def earlier(context: "Context", model: str) -> Earlier:
    """How things stand now."""
    async with AdminClient(context.paths) as client:
        if not await is_running(client):
            return Earlier(daemon=False)
        status = await client.get("status")
    served = not status["detached"]
    for each in status["instances"]:
        if each["model"] == model and each["state"] not in GONE:
            return Earlier(True, each["given"], served, each["started_at"])
    return Earlier(daemon=True, served=served)


async def as_it_was(context: "Context", model: str, before: Earlier) -> None:
    """What ran of the model runs again as it had been started; what did not run is gone."""
    await stop(context, model)
    if before.given is not None:
        await bring_up(context, wanted(model, before.given), quiet=True)
    elif not before.daemon:
        await _end_daemon(context)


def bring_back(context: "Context", model: str, before: Earlier) -> None:
    """As it was; what fails is told, and hides neither a result nor what ended the measurement."""
    try:
        run(as_it_was(context, model, before))
    except SparkwellError as error:
        tell(
            click.style("! ", fg="yellow")
            + f"{model} ran before, and could not be started again: {error.message}\n"
            f"`sparkwell up {model}` starts it, `sparkwell doctor` may know why it did not."
        )


async def stop(context: "Context", model: str) -> None:
    """The model, if it runs."""
    async with AdminClient(context.paths) as client:
        with suppress(SparkwellError):  # nothing of it runs, or no daemon does: a start says more
            await client.post("down", {"model": model})


def wanted(model: str, given: Json) -> Wanted:
    """The `up` that an instance came of."""
    return Wanted((model,), **{**given, "flags": tuple(given["flags"])})


async def _end_daemon(context: "Context") -> None:
    async with AdminClient(context.paths) as client:
        with suppress(SparkwellError):
            await client.post("shutdown", {"stop_engines": True})
            await daemon_gone(context.paths)
