"""A start as commands ask the daemon for it, and take it back at Ctrl-C."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sparkwell.cli.client import AdminClient, Json
from sparkwell.cli.context import Context
from sparkwell.cli.daemon import daemon_gone, have_daemon
from sparkwell.cli.progress import follow_start
from sparkwell.cli.start_told import checked
from sparkwell.cli.telling import tell
from sparkwell.core.errors import ConflictError, SparkwellError, UnknownModelError
from sparkwell.engines.vllm import check_flags, read_flag

CALL_OFF_S = 0.5


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be started, as it was typed."""

    models: tuple[str, ...]
    flags: tuple[str, ...] = ()
    profile: str | None = None
    driver: str | None = None
    image: str | None = None
    force: bool = False
    switch: bool = False

    @property
    def body(self) -> Json:
        """The request to the daemon."""
        return {
            "models": list(self.models),
            "flags": list(self.flags),
            "profile": self.profile,
            "driver": self.driver,
            "image": self.image,
            "force": self.force,
            "switch": self.switch,
            "folder": str(Path.cwd()),
        }


@dataclass(slots=True)
class Begun:
    """What a start has begun that was not there before; true at any moment, however it ends.

    ``runs`` are the instances of its models, also of those that were taken back.
    """

    daemon: bool = False
    models: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()

    def note(self, told: list[Json]) -> None:
        """Take down what the daemon says it has begun."""
        new = [each for each in told if each["new"]]
        self.models = tuple(each["model"] for each in new)
        self.runs = tuple(each["instance"] for each in new)


def check_request(context: Context, wanted: Wanted) -> None:
    """Refuse what can be seen to be wrong here, before a daemon is started for it."""
    given = dict(read_flag(flag) for flag in wanted.flags)
    for number, name in enumerate(wanted.models):
        recipe = context.models.served(name).recipe
        if recipe:
            context.models.must_be_fetchable(recipe)
            image = wanted.image if number == 0 else None
            way = context.models.ways.way(recipe, wanted.driver, image)
            check_flags(given if number == 0 else {}, version=way.version)


async def bring_up(
    context: Context,
    wanted: Wanted,
    *,
    port: int | None = None,
    wait: bool = True,
    quiet: bool = False,
    begun: Begun | None = None,
) -> list[Json]:
    """Have the models served and return their status; progress goes to stderr unless ``quiet``.

    ``begun`` is told what was not there before.
    """
    begun = Begun() if begun is None else begun
    async with AdminClient(context.paths) as client:
        begun.daemon = await have_daemon(context, client, port, quiet)
        beginning = asyncio.ensure_future(_begin(client, wanted))
        try:
            told = (await asyncio.shield(beginning))["instances"]
            begun.note(told)
            if not wait:
                return list(told)
            return [
                checked(await follow_start(client, each["instance"], quiet=quiet)) for each in told
            ]
        except asyncio.CancelledError:
            begun.note(await _begun(client, beginning, wanted))
            await _take_back(client, begun, quiet)
            raise


async def _begun(
    client: AdminClient, beginning: "asyncio.Future[Json]", wanted: Wanted
) -> list[Json]:
    """What has begun by now. A switch that still waits for others does not begin any more."""
    await asyncio.wait({beginning}, timeout=CALL_OFF_S)
    while wanted.switch and not beginning.done():
        with suppress(SparkwellError):
            await client.post("down", {"model": wanted.models[0]})
        await asyncio.wait({beginning}, timeout=CALL_OFF_S)
    with suppress(SparkwellError):
        return list((await beginning)["instances"])
    return []


async def _begin(client: AdminClient, wanted: Wanted) -> Json:
    try:
        return await client.post("up", wanted.body)
    except SparkwellError as error:
        if error.code != UnknownModelError.code:
            raise
        # It is in the catalog of this command, which was checked before.
        raise ConflictError(
            f"The running daemon does not know all of {', '.join(wanted.models)}: it was started "
            "with other recipes.",
            hint="Run `sparkwell down`, then the same command again.",
        ) from None


async def _take_back(client: AdminClient, begun: Begun, quiet: bool) -> None:
    """Ctrl-C while waiting, or a limit: leave the machine as it was."""
    if not begun.daemon and not begun.models:
        return
    if not quiet:
        tell("\nStopping again …")
    if begun.daemon:
        # Answered at once, so that a second Ctrl-C cannot come in between.
        await client.post("shutdown", {"stop_engines": True})
        await daemon_gone(client.paths)
    else:
        # Together: while one ends, the next would get its turn and be launched. One may be gone.
        asked = (client.post("down", {"model": model}) for model in begun.models)
        await asyncio.gather(*asked, return_exceptions=True)
    begun.daemon, begun.models = False, ()
