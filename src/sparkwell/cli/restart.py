"""`sparkwell restart`."""

import click

from sparkwell.cli.client import AdminClient, run
from sparkwell.cli.context import Context, pass_context
from sparkwell.cli.progress import follow_start
from sparkwell.cli.up import checked


@click.command(short_help="Stop and start the model again.")
@click.argument("model", required=False)
@pass_context
def restart(context: Context, model: str | None) -> None:
    """Stop MODEL (default: what runs), start it with the same flags, wait until it answers."""
    if model is not None:
        model = context.catalog.get(model).name
    run(_restart(context, model))


async def _restart(context: Context, model: str | None) -> None:
    async with AdminClient(context.paths) as client:
        begun = await client.post("restart", {"model": model})
        checked(await follow_start(client, begun["instance"], quiet=False))
