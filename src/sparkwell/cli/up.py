"""`sparkwell up` and what other commands need of it."""

import asyncio
import json
from dataclasses import dataclass

import click

from sparkwell.cli.client import (
    AdminClient,
    Json,
    daemon_gone,
    is_running,
    run,
    start_detached,
)
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.plan import PROFILES
from sparkwell.cli.progress import follow_start
from sparkwell.core.errors import (
    ConflictError,
    EnvironmentFault,
    SparkwellError,
    UnknownModelError,
)
from sparkwell.engines.vllm import check_flags, read_flag


@click.command(short_help="Start a model and wait until it has answered.")
@click.argument("model")
@click.option(
    "--set",
    "flags",
    multiple=True,
    metavar="FLAG=VALUE",
    help="A flag of the engine, e.g. --set max_model_len=8192; may be given several times.",
)
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    help="What the flags are chosen for on a GPU.  [default: balanced]",
)
@click.option("--force", is_flag=True, help="Start also what does not fit on this machine.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of a daemon that is started.")
@click.option("--no-wait", is_flag=True, help="Return as soon as the start has begun.")
@json_option
@pass_context
def up(
    context: Context,
    model: str,
    flags: tuple[str, ...],
    profile: str | None,
    force: bool,
    port: int | None,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Start MODEL and wait until it has answered with a first token.

    On a GPU its flags are computed for this machine; `sparkwell plan MODEL` shows them. With no
    daemon running, one is started in the background. Ctrl-C stops the model again.
    """
    check_request(context, model, flags)
    wish = Wanted(model, flags, profile, force)
    status = run(bring_up(context, wish, port=port, wait=not no_wait, quiet=as_json))
    if as_json:
        click.echo(json.dumps(status))
    elif no_wait:
        click.echo(f"Starting {status['model']}; `sparkwell status` shows how far it is.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be started, as it was typed."""

    model: str
    flags: tuple[str, ...] = ()
    profile: str | None = None
    force: bool = False

    @property
    def body(self) -> Json:
        """The request to the daemon."""
        return {
            "model": self.model,
            "flags": list(self.flags),
            "profile": self.profile,
            "force": self.force,
        }


def check_request(context: Context, model: str, flags: tuple[str, ...]) -> None:
    """Refuse what can be seen to be wrong here, before a daemon is started for it."""
    recipe = context.catalog.get(model)
    given = dict(read_flag(flag) for flag in flags)
    found = context.models.availability(recipe).environment
    check_flags(given, version=found.version if found else None)
    context.models.must_be_startable(recipe)


async def bring_up(
    context: Context,
    wanted: Wanted,
    *,
    port: int | None = None,
    wait: bool = True,
    quiet: bool = False,
) -> Json:
    """Have the model served and return its status; progress goes to stderr unless ``quiet``."""
    async with AdminClient(context.paths) as client:
        ours = await _have_daemon(context, client, port, quiet)
        beginning = asyncio.ensure_future(_begin(client, wanted))
        try:
            begun = await asyncio.shield(beginning)
            if not wait:
                return begun
            return checked(await follow_start(client, begun["instance"], quiet=quiet))
        except asyncio.CancelledError:
            await _take_back(client, ours, new=(await beginning)["new"])
            raise


async def _have_daemon(
    context: Context, client: AdminClient, port: int | None, quiet: bool
) -> bool:
    """See to it that a daemon answers; True when this call has started it."""
    if await is_running(client):
        await _refuse_other_port(client, port)
        return False
    options = ["--detached", *(["--port", str(port)] if port else [])]
    about, ours = await start_detached(context, client, options)
    if ours and not quiet:
        click.echo(
            f"Started a daemon (process {about['pid']}) on {about['gateway']}; "
            "`sparkwell down` ends it.",
            err=True,
        )
    return ours


async def _begin(client: AdminClient, wanted: Wanted) -> Json:
    try:
        return await client.post("up", wanted.body)
    except SparkwellError as error:
        if error.code != UnknownModelError.code:
            raise
        # It is in the catalog of this command, which was checked before.
        raise ConflictError(
            f"The running daemon does not know {wanted.model}: it was started with other recipes.",
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


async def _take_back(client: AdminClient, ours: bool, *, new: bool) -> None:
    """Ctrl-C while waiting: leave the machine as it was."""
    if not ours and not new:
        return
    click.echo("\nStopping again …", err=True)
    if ours:
        # Answered at once, so that a second Ctrl-C cannot come in between.
        await client.post("shutdown", {"stop_engines": True})
        await daemon_gone(client.paths)
    else:
        await client.post("down", {})


def checked(instance: Json) -> Json:
    """The status if the model is ready; raises EnvironmentFault with the end of its log."""
    if instance["state"] == "ready":
        return instance
    lines = "\n".join(f"  {line}" for line in instance["last_lines"][-12:])
    ending = f" The end of its log:\n{lines}" if lines else ""
    error = instance.get("error") or "it was stopped"
    raise EnvironmentFault(
        f"{instance['model']} did not start: {error}.{ending}",
        hint=f"The whole log: `sparkwell logs {instance['model']}`.",
    )
