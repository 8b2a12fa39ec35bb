"""`sparkwell serve`."""

import asyncio
import logging
import sys

import click

from sparkwell.app.config import Settings
from sparkwell.app.daemon import Daemon
from sparkwell.cli.context import Context, pass_context


@click.command(short_help="Run the daemon in the foreground.")
@click.option("--host", help="Address of the gateway (default 127.0.0.1).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the gateway (default 8000).")
@click.option("--detached", is_flag=True, hidden=True, help="Started by `up`: ends with `down`.")
@pass_context
def serve(context: Context, host: str | None, port: int | None, detached: bool) -> None:
    """Run the daemon in the foreground: gateway, supervisor and control socket.

    Ctrl-C ends it and the engines. SIGTERM lets running requests finish and leaves the engines
    to the next daemon, which takes them over.
    """
    _log_to_stderr()
    settings = with_address(context.settings, host, port)
    daemon = Daemon(context.paths, settings, context.catalog, detached=detached)
    asyncio.run(daemon.run())


def with_address(settings: Settings, host: str | None, port: int | None) -> Settings:
    """The settings with the gateway's address from the command line, where it was given."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value}
    gateway = settings.gateway.model_copy(update=given)
    return settings.model_copy(update={"gateway": gateway})


def _log_to_stderr() -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)-7s %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
    )
