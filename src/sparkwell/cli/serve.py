"""`sparkwell serve`."""

import logging
import sys
from pathlib import Path

import click
import uvloop

from sparkwell.app.daemon.process import Daemon
from sparkwell.app.settings.config import Settings, TlsSettings, refuse_port
from sparkwell.cli.context import Context, pass_context
from sparkwell.core.errors import UsageError

_FILE = click.Path(dir_okay=False)  # what is wrong with one is said by app.tls


@click.command(short_help="Run the daemon in the foreground.")
@click.option("--host", help="Address of the gateway (default 127.0.0.1).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the gateway (default 8000).")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help="Processes that relay requests, all on the one port (default 1).",
)
@click.option("--tls-certificate", type=_FILE, help="File with the certificate: https, not http.")
@click.option("--tls-key", type=_FILE, help="File with the certificate's private key.")
@click.option("--detached", is_flag=True, hidden=True, help="Started by `up`: ends with `down`.")
@pass_context
def serve(
    context: Context,
    host: str | None,
    port: int | None,
    workers: int | None,
    tls_certificate: str | None,
    tls_key: str | None,
    detached: bool,
) -> None:
    """Run the daemon in the foreground: gateway, supervisor and control socket.

    Ctrl-C ends it and the engines. SIGTERM lets running requests finish and leaves the engines
    to the next daemon, which takes them over. An address of the network needs a key first:
    `sparkwell keys add NAME`.
    """
    _log_to_stderr()
    settings = with_gateway(
        context.settings,
        host=host,
        port=port,
        workers=workers,
        tls=tls_files(tls_certificate, tls_key),
    )
    file = context.config_file or context.paths.config_file
    daemon = Daemon(context.paths, settings, context.catalog, file=file, detached=detached)
    uvloop.run(daemon.run())


def tls_files(certificate: str | None, key: str | None) -> TlsSettings | None:
    """Certificate and key from the command line; raises UsageError for one without the other."""
    if not certificate and not key:
        return None
    if not certificate or not key:
        raise UsageError(
            "--tls-certificate and --tls-key belong together.",
            hint="Name both files, or set gateway.tls in sparkwell.yaml.",
        )
    absolute = {"certificate": Path(certificate).absolute(), "key": Path(key).absolute()}
    return TlsSettings(**{name: str(file) for name, file in absolute.items()})


def with_gateway(settings: Settings, **given: object) -> Settings:
    """The settings with what the command line says of the gateway, where it says something.

    Raises UsageError for a port that the file could not name either.
    """
    said = {name: value for name, value in given.items() if value is not None}
    if isinstance(port := said.get("port"), int):
        refuse_port(settings, port)
    gateway = settings.gateway.model_copy(update=said)
    return settings.model_copy(update={"gateway": gateway})


def _log_to_stderr() -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)-7s %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
    )
