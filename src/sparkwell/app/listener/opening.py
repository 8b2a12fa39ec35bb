"""The gateway opened: its server on the port, with what the settings say of it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from sparkwell.app.daemon.building import Built
from sparkwell.app.listener.certificate_files import TlsFiles
from sparkwell.app.listener.exposure import rules_of
from sparkwell.app.listener.sockets import listen_tcp
from sparkwell.app.listener.tls import Tls
from sparkwell.app.settings.config import GatewaySettings, Settings
from sparkwell.app.workers.opening import several
from sparkwell.app.workers.processes import Workers
from sparkwell.core.launch import Endpoint
from sparkwell.core.units import MB
from sparkwell.gateway.access import Door
from sparkwell.gateway.comments import Pace
from sparkwell.gateway.server import GatewayServer
from sparkwell.gateway.wire.limits import Limits
from sparkwell.gateway.wrong_keys import WrongKeyLog


def tls_of(gateway: GatewaySettings) -> Tls | None:
    """Certificate and key, read; None for plain http. Raises EnvironmentFault."""
    if gateway.tls is None:
        return None
    return Tls(TlsFiles(Path(gateway.tls.certificate), Path(gateway.tls.key)))


def limits_of(gateway: GatewaySettings) -> Limits:
    """What one client may take."""
    return Limits(
        body=round(gateway.max_body_mb * MB),
        connections=gateway.max_connections,
        head_s=gateway.head_s,
        body_s=gateway.body_s,
        idle_s=gateway.idle_s,
        send_s=gateway.send_s,
    )


def opened(
    settings: Settings, built: Built, pages: Path, tls: Tls | None
) -> AbstractAsyncContextManager[GatewayServer | Workers]:
    """The gateway, listening; raises EnvironmentFault where somebody else has the port.

    At the block's end requests have the settings' time to be answered, then they are cut.
    """
    if settings.gateway.workers > 1:
        return several(settings, built, pages, limits_of(settings.gateway), tls)
    return _one(settings, built, pages, tls)


@asynccontextmanager
async def _one(
    settings: Settings, built: Built, pages: Path, tls: Tls | None
) -> AsyncIterator[GatewayServer]:
    """In this process."""
    gateway, wrong = settings.gateway, WrongKeyLog()
    server = GatewayServer(
        built.host.served,
        door=Door(built.keeper.book, rules_of(gateway)),
        turnstile=built.keeper.turnstile,
        pages=Endpoint(uds=str(pages)),
        limits=limits_of(gateway),
        pace=Pace(hold_headers_s=settings.switching.hold_headers_s),
        log=gateway.access_log,
        wrong_key=wrong.came,
    )
    context = tls.context if tls else None
    try:
        await listen_tcp(
            lambda: server.listen(gateway.host, gateway.port, tls=context),
            gateway.host,
            gateway.port,
        )
        yield server
    finally:
        await server.close(gateway.drain_s)
        wrong.close()
