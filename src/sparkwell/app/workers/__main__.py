"""One worker: a gateway in a process of its own. ``python -m sparkwell.app.workers SOCKET``.

It ends with the daemon: when that says so, on SIGTERM, and when the connection to it is lost. In
each case requests that are being answered have their time to end.
"""

import asyncio
import logging
import signal
import sys
from pathlib import Path

import uvloop

from sparkwell.app.listener.certificate_files import TlsFiles
from sparkwell.app.listener.tls import Tls
from sparkwell.core.errors import EnvironmentFault, SparkwellError
from sparkwell.core.launch import Endpoint
from sparkwell.gateway.access import Door
from sparkwell.gateway.remote.backend import Remote
from sparkwell.gateway.remote.faults import fault_of
from sparkwell.gateway.remote.messages import Opening
from sparkwell.gateway.server import GatewayServer

logger = logging.getLogger(__name__)


def main(argv: list[str]) -> int:
    """Serve until it is time to end; the exit code."""
    log_to_stderr()
    return uvloop.run(work(argv[0]))


async def work(path: str) -> int:
    """Serve for the daemon at that socket; the exit code."""
    remote = Remote()
    try:
        await remote.connect(path)
    except (OSError, SparkwellError) as error:
        logger.warning("The daemon cannot be asked: %s", error)
        return 1
    opening = remote.opening
    assert opening is not None  # noqa: S101 - comes before all else
    try:
        server = await listening(remote, opening)
    except SparkwellError as error:
        remote.failed(fault_of(error))
        await remote.close()
        return 1
    remote.hurry = server.cut
    _on_signals(remote, server)
    await remote.over.wait()
    await server.close(opening.drain_s if remote.drain_s is None else remote.drain_s)
    await remote.close()
    return 0


async def listening(remote: Remote, opening: Opening) -> GatewayServer:
    """The gateway, on the port that all share; raises EnvironmentFault."""
    server = GatewayServer(
        remote,
        door=Door(remote.book, opening.rules),
        turnstile=remote,
        pages=Endpoint(uds=opening.pages),
        limits=opening.limits,
        pace=opening.pace,
        log=opening.log,
        wrong_key=remote.wrong_key,
    )
    tls = _tls_of(opening)
    try:
        context = tls.context if tls is not None else None
        port = await server.listen(opening.host, opening.port, tls=context, shared=True)
    except OSError as error:
        raise EnvironmentFault(
            f"A process of the gateway cannot listen on {opening.host}:{opening.port}: {error}.",
            hint="Choose another port with --port.",
        ) from None
    remote.listens(port)
    return server


def _tls_of(opening: Opening) -> Tls | None:
    """Certificate and key; what is to be said of them the daemon says, once for all workers."""
    if opening.tls is None:
        return None
    return Tls(TlsFiles(*map(Path, opening.tls)), quiet=True)


def _on_signals(remote: Remote, server: GatewayServer) -> None:
    """SIGTERM ends it; a second one does not wait for answers. Ctrl-C is for the daemon."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def asked() -> None:
        if remote.over.is_set():
            server.cut()
        remote.over.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked)


def log_to_stderr() -> None:
    """Lines as the daemon's own, to the same place."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)-7s %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
