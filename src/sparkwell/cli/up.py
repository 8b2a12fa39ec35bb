"""`sparkwell up` and what other commands need of it."""

import asyncio
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from sparkwell.app.surroundings import differing
from sparkwell.cli.client import (
    AdminClient,
    Json,
    absolute_folders,
    daemon_gone,
    is_running,
    run,
    start_detached,
)
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.finding_text import plain
from sparkwell.cli.finding_told import StartFailedError, told_findings
from sparkwell.cli.plan import PROFILES
from sparkwell.cli.progress import follow_start
from sparkwell.cli.telling import tell
from sparkwell.core.errors import (
    ConflictError,
    SparkwellError,
    UnknownModelError,
    UsageError,
)
from sparkwell.engines.vllm import check_flags, read_flag

CALL_OFF_S = 0.5
_WHY = {"asleep": "it sleeps, and there is no room to wake it (--switch makes room)"}
"""Why a model is not ready that has not failed."""


@click.command(short_help="Start a model and wait until it has answered.")
@click.argument("models", nargs=-1, metavar="MODEL...")
@click.option("--all", "every", is_flag=True, help="Start what the settings name under `start`.")
@click.option(
    "--set",
    "flags",
    multiple=True,
    metavar="FLAG=VALUE",
    help="A flag of the engine, e.g. --set max_model_len=8192; may be given several times. "
    "Of several models it is the first one's.",
)
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    help="What the flags are chosen for on a GPU.  [default: balanced]",
)
@click.option(
    "--driver",
    type=click.Choice(["process", "compose"]),
    help="Run the engine as a process or in a container.  [default: as suits the model]",
)
@click.option("--image", metavar="IMAGE", help="The container image to run the engine from.")
@click.option("--force", is_flag=True, help="Start also what checks and the plan speak against.")
@click.option(
    "--switch",
    is_flag=True,
    help="Make other models leave for this one where it does not fit beside them, as soon as "
    "their running requests are done.",
)
@click.option("--port", type=click.IntRange(1, 65535), help="Port of a daemon that is started.")
@click.option("--no-wait", is_flag=True, help="Return as soon as the start has begun.")
@json_option
@pass_context
def up(
    context: Context,
    models: tuple[str, ...],
    every: bool,
    flags: tuple[str, ...],
    profile: str | None,
    driver: str | None,
    image: str | None,
    force: bool,
    switch: bool,
    port: int | None,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Start each MODEL and wait until it has answered with a first token.

    What is missing is fetched first: the container image, the weights. On a GPU the flags are
    computed for this machine; `sparkwell plan MODEL` shows them. Several models share its
    memory, and start one after the other. With no daemon running, one is started in the
    background. Ctrl-C stops the models again.
    """
    named = _named(context, models, every)
    _check_switch(named, switch, force)
    wish = Wanted(named, flags, profile, driver, image, force, switch)
    check_request(context, wish)
    done = run(bring_up(context, wish, port=port, wait=not no_wait, quiet=as_json))
    if as_json:
        several = {**done[0], "instances": done} if len(done) > 1 else done[0]
        click.echo(json.dumps(several))
    elif no_wait:
        names = ", ".join(each["model"] for each in done)
        click.echo(f"Starting {names}; `sparkwell status` shows how far it is.")


def _named(context: Context, models: tuple[str, ...], every: bool) -> tuple[str, ...]:
    if models and every:
        raise click.UsageError("Name models, or give --all.")
    if not models and not every:
        raise click.UsageError("Name a MODEL, or give --all; `sparkwell models` lists them.")
    if every and not context.settings.start:
        raise UsageError(
            "--all starts what the settings name under `start`, and they name nothing.",
            hint=f"Add `start: [MODEL]` to {context.config_file or context.paths.config_file}.",
        )
    return models or context.settings.start


def _check_switch(models: tuple[str, ...], switch: bool, force: bool) -> None:
    if switch and len(models) != 1:
        raise click.UsageError("--switch takes one MODEL: the one that is needed now.")
    if switch and force:
        raise click.UsageError("--switch makes room, --force does without: give one of them.")


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
    """What a start has begun that was not there before; true at any moment, however it ends."""

    daemon: bool = False
    models: tuple[str, ...] = ()


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
            begun.models = _new(told)
            if not wait:
                return list(told)
            return [
                checked(await follow_start(client, each["instance"], quiet=quiet)) for each in told
            ]
        except asyncio.CancelledError:
            begun.models = _new(await _begun(client, beginning, wanted))
            await _take_back(client, begun)
            raise


def _new(told: list[Json]) -> tuple[str, ...]:
    return tuple(each["model"] for each in told if each["new"])


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


async def have_daemon(context: Context, client: AdminClient, port: int | None, quiet: bool) -> bool:
    """See to it that a daemon answers; True when this call has started it."""
    if await is_running(client):
        await _refuse_other_port(client, port)
        if not await _ended_for_its_surroundings(context, client, quiet):
            return False
    options = ["--detached", *(["--port", str(port)] if port else [])]
    about, ours = await start_detached(context, client, options)
    if ours and not quiet:
        tell(
            f"Started a daemon (process {about['pid']}) on {about['gateway']}; "
            "`sparkwell down` ends it."
        )
    return ours


async def _ended_for_its_surroundings(context: Context, client: AdminClient, quiet: bool) -> bool:
    """End an idle daemon that was started with other variables than are set here now.

    One that serves something, or that somebody runs with `serve`, goes on: then they are named.
    """
    about = await client.get("version")
    others = differing(absolute_folders(context.environ), about["environment"])
    if not others:
        return False
    instances = (await client.get("status"))["instances"]
    if about["detached"] and all(each["state"] == "failed" for each in instances):
        await client.post("shutdown", {"stop_engines": False})
        return await daemon_gone(client.paths)
    if not quiet:
        tell(
            f"The daemon (process {about['pid']}) was started with another value of "
            f"{', '.join(others)}, and keeps it; end it to change that."
        )
    return False


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


async def _refuse_other_port(client: AdminClient, port: int | None) -> None:
    """A port that cannot be had must not be passed over in silence."""
    gateway = (await client.get("version"))["gateway"]
    if port is not None and not gateway.endswith(f":{port}"):
        raise ConflictError(
            f"A daemon is already running, on {gateway}, and cannot move to port {port}.",
            hint="Leave --port out, or end that daemon first (`sparkwell down`).",
        )


async def _take_back(client: AdminClient, begun: Begun) -> None:
    """Ctrl-C while waiting: leave the machine as it was."""
    if not begun.daemon and not begun.models:
        return
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


_HOW_IT_ENDED = re.compile(r"(\((?:exit code -?\d+|killed by signal \d+)\)): .*", re.DOTALL)


def checked(instance: Json) -> Json:
    """The status if the model is ready; raises StartFailedError with why it is not.

    That is what the daemon has found in its log, else the log's end.
    """
    if instance["state"] == "ready":
        return instance
    found = told_findings(instance.get("findings"))
    lines = "\n".join(f"  {plain(line)}" for line in instance["last_lines"][-12:])
    ending = f" The end of its log:\n{lines}" if lines and not found else ""
    error = plain(instance.get("error") or _WHY.get(instance["state"], "it was stopped"))
    if found:  # they quote what the engine said, and where
        error = _HOW_IT_ENDED.sub(r"\1", error)
    log = f"The whole log: `sparkwell logs {instance['model']}`." if lines else None
    hints = [each for each in (instance.get("hint"), log) if each]
    raise StartFailedError(
        f"{instance['model']} did not start: {error}.{ending}",
        hint="\n".join(hints) or None,
        findings=found,
    )
