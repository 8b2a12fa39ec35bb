"""`sparkwell restart`."""

import json

import click

from sparkwell.cli.client import AdminClient, Json, run
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.progress import follow_start
from sparkwell.cli.start_told import checked


@click.command(short_help="Stop and start the model again.")
@click.argument("model", required=False)
@json_option
@pass_context
def restart(context: Context, model: str | None, as_json: bool) -> None:
    """Stop MODEL (default: what runs), start it with the same flags, wait until it answers."""
    if model is not None:
        model = context.models.served(model).name
    instance = run(_restart(context, model, quiet=as_json))
    if as_json:
        click.echo(json.dumps(instance))


async def _restart(context: Context, model: str | None, *, quiet: bool) -> Json:
    async with AdminClient(context.paths) as client:
        begun = await client.post("restart", {"model": model})
        return checked(await follow_start(client, begun["instance"], quiet=quiet))
