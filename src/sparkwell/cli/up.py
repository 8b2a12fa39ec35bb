"""`sparkwell up`."""

import json

import click

from sparkwell.cli.bringing_up import Wanted, bring_up, check_request
from sparkwell.cli.client import run
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.options import profile_option, set_option, way_options
from sparkwell.core.errors import UsageError


@click.command(short_help="Start a model and wait until it has answered.")
@click.argument("models", nargs=-1, metavar="MODEL...")
@click.option("--all", "every", is_flag=True, help="Start what the settings name under `start`.")
@set_option(
    "A flag of the engine, e.g. --set max_model_len=8192; may be given several times. "
    "Of several models it is the first one's."
)
@profile_option()
@way_options
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
