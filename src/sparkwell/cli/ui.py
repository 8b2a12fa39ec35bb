"""`sparkwell ui`."""

import json
import webbrowser

import click

from sparkwell.app.admin_key import AdminKey
from sparkwell.cli.client import AdminClient, Json, run
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.daemon import have_daemon
from sparkwell.core.units import duration


@click.command(short_help="Print a link that opens the dashboard.")
@click.option("--open", "opens", is_flag=True, help="Open it in this machine's browser, too.")
@click.option(
    "--key",
    "shows_key",
    is_flag=True,
    help="Print the admin key instead: it signs in from other machines, and again and again.",
)
@json_option
@pass_context
def ui(context: Context, opens: bool, shows_key: bool, as_json: bool) -> None:
    """Print a link that opens the dashboard. It works once, and for ten minutes.

    With no daemon running, one is started in the background.
    """
    if shows_key:
        key = AdminKey(context.paths.admin_key).text()
        click.echo(json.dumps({"key": key}) if as_json else key)
        return
    link = run(_link(context, quiet=as_json))
    if as_json:
        click.echo(json.dumps(link))
    else:
        click.echo(link["url"])
        click.echo(f"It works once, within {duration(link['good_s'])}.", err=True)
    if opens and not webbrowser.open(link["url"]):
        click.echo("No browser could be opened here: copy the link.", err=True)


async def _link(context: Context, *, quiet: bool) -> Json:
    async with AdminClient(context.paths) as client:
        await have_daemon(context, client, None, quiet)
        return dict(await client.post("ui-link", {}))
