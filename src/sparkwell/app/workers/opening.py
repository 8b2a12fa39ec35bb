"""The gateway opened as several processes on one port."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from sparkwell.app.daemon.building import Built
from sparkwell.app.listener.exposure import rules_of
from sparkwell.app.listener.sockets import listen_tcp
from sparkwell.app.listener.tls import Tls
from sparkwell.app.settings.config import Settings
from sparkwell.app.workers.known import KnownHere
from sparkwell.app.workers.port import SharedPort
from sparkwell.app.workers.processes import Workers
from sparkwell.gateway.comments import Pace
from sparkwell.gateway.remote.hub import Hub
from sparkwell.gateway.remote.messages import Opening
from sparkwell.gateway.wire.limits import Limits
from sparkwell.gateway.wrong_keys import WrongKeyLog


def opening_of(settings: Settings, pages: Path, limits: Limits) -> Opening:
    """How each worker serves: its share of the connections, all else as one process would."""
    gateway = settings.gateway
    return Opening(
        gateway.host,
        gateway.port,
        (gateway.tls.certificate, gateway.tls.key) if gateway.tls is not None else None,
        str(pages),
        rules_of(gateway),
        replace(limits, connections=math.ceil(limits.connections / gateway.workers)),
        Pace(hold_headers_s=settings.switching.hold_headers_s),
        gateway.access_log,
        gateway.drain_s,
    )


@asynccontextmanager
async def several(
    settings: Settings, built: Built, pages: Path, limits: Limits, tls: Tls | None
) -> AsyncIterator[Workers]:
    """The workers, all of them listening; raises EnvironmentFault where somebody has the port.

    They read the files of ``tls`` themselves; this process only says what becomes of them.
    At the block's end requests have the settings' time to be answered, then they are cut.
    """
    gateway, port = settings.gateway, SharedPort()
    served = built.host.served
    known = KnownHere(built.models, built.supervisor, built.journal, served)
    opening = opening_of(settings, pages, limits)
    wrong = WrongKeyLog()
    hub = Hub(
        served, built.keeper.turnstile, built.keeper.book, known, opening, wrong_key=wrong.came
    )
    workers = Workers(hub, built.paths.gateway, gateway.workers)
    try:
        await listen_tcp(lambda: port.take(gateway.host, gateway.port), gateway.host, gateway.port)
        await workers.start()
        looking = asyncio.create_task(tls.keep_looking()) if tls is not None else None
        try:
            yield workers
        finally:
            if looking is not None:
                looking.cancel()
            await workers.close(gateway.drain_s)
    finally:
        wrong.close()
        port.give_back()
