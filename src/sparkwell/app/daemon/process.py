"""`sparkwell serve`: the one process that owns the state and hosts gateway and control API."""

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from aiohttp import web

from sparkwell.admin.api import admin_application
from sparkwell.admin.keys import add_own_key_route
from sparkwell.app.daemon.beginning import Beginning
from sparkwell.app.daemon.building import Built, build
from sparkwell.app.daemon.host import About
from sparkwell.app.daemon.preloading import preload
from sparkwell.app.dashboard.making import make_dashboard
from sparkwell.app.keys.own_key import OwnKey
from sparkwell.app.listener.announcing import announce, ending
from sparkwell.app.listener.exposure import asks_for_keys, open_to_all, refuse_to_expose
from sparkwell.app.listener.opening import opened, tls_of
from sparkwell.app.listener.own_address import must_be_ours
from sparkwell.app.listener.sockets import listen_unix, running
from sparkwell.app.listener.tls import Tls
from sparkwell.app.lock import held
from sparkwell.app.paths import Paths
from sparkwell.app.settings.config import Settings
from sparkwell.catalog import Catalog
from sparkwell.drivers.routing import RoutingDriver
from sparkwell.gateway.pages import Pages
from sparkwell.web.dashboard import PREFIX

logger = logging.getLogger(__name__)
LOOK_AGAIN_S = 5.0


class Daemon:
    """Everything, put together, from start to end.

    SIGINT ends the daemon and the engines; SIGTERM drains requests and leaves the engines to
    the next daemon. A second signal of either kind does not wait any longer. ``file`` is the
    settings file that the dashboard may change.
    """

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        catalog: Catalog,
        *,
        file: Path | None = None,
        detached: bool = False,
    ) -> None:
        self._paths = paths
        self._settings = settings
        self._catalog = catalog
        self._file = (file or paths.config_file).absolute()
        self._detached = detached
        self._ended = asyncio.Event()
        self._stop_engines = False
        self._hurried = False
        self._hurry: list[Callable[[], object]] = []
        self._answering: Callable[[], int] = lambda: 0

    async def run(self) -> None:
        """Serve until somebody ends it. Raises SparkwellError when it cannot even begin."""
        self._paths.make()
        with held(self._paths.lock):
            try:
                async with AsyncExitStack() as stack:
                    await self._serve(stack)
            except asyncio.CancelledError:
                if not self._hurried:
                    raise

    async def _serve(self, stack: AsyncExitStack) -> None:
        gateway = self._settings.gateway
        must_be_ours(gateway.host)
        tls = tls_of(gateway)
        about = About(
            gateway.host,
            gateway.port,
            self._detached,
            time.time(),
            certificate=gateway.tls.certificate if gateway.tls else None,
            open_to_all=open_to_all(gateway),
        )
        # Signals first, so that they are heard to the very end, while connections close too.
        self._on_signals(stack)
        built = build(self._paths, self._settings, self._catalog, about, self._end, stack)
        refuse_to_expose(gateway, built.keeper.standing)
        supervisor = built.supervisor
        self._answering = lambda: supervisor.requests_running
        stack.push_async_callback(supervisor.close)
        await stack.enter_async_context(self._listening(built, tls))
        looking = asyncio.create_task(look_again(built.adopt, built.drivers.every))
        stack.callback(looking.cancel)
        announce(about, gateway)
        if lost := built.keeper.lost:
            logger.warning("%s %s", lost.message, lost.hint, extra={"action": "key.lost"})
        preloading = asyncio.create_task(preload(built, self._settings.preload))
        stack.callback(preloading.cancel)
        await self._ended.wait()
        built.remembering.ending = not self._stop_engines
        supervisor.refuse_more()
        if self._stop_engines:
            await supervisor.down()
            await built.starter.ollama.tidy([])

    @asynccontextmanager
    async def _listening(self, built: Built, tls: Tls | None) -> AsyncIterator[None]:
        """The gateway's port first: when somebody else has it, nothing else has happened yet.

        The control socket next: taking over may take as long as an engine takes to stop, and who
        asks meanwhile is told so. Requests for a model wait until it is known what runs.
        """
        beginning = Beginning(built.host)
        own = OwnKey(built.keeper.book)
        keyed = asks_for_keys(self._settings.gateway, built.keeper.book)
        pages = Pages(built.host.served, home=f"{PREFIX}/", keyed=keyed).application()
        pages.add_subapp(PREFIX, make_dashboard(built, beginning, self._file, own))
        # Cancelling the handler of a client that went away ends what is done for it.
        behind = web.AppRunner(
            pages, handler_cancellation=True, shutdown_timeout=1.0, access_log=None
        )
        admin = admin_application(beginning, built.keys)
        add_own_key_route(admin, own.secret)
        control = web.AppRunner(admin, shutdown_timeout=1.0, access_log=None)
        async with (
            opened(self._settings, built, self._paths.pages, tls) as gateway,
            running(control),
            running(behind),
        ):
            await listen_unix(behind, self._paths.pages)
            await listen_unix(control, self._paths.socket)
            await built.recover()
            beginning.over()
            self._hurry.append(gateway.cut)
            async with built.guarded(), built.watching.running(), built.keeper.running():
                yield
            if self._stop_engines:
                gateway.cut()  # their engine has gone: there is nothing to wait for

    def _end(self, stop_engines: bool) -> None:
        self._stop_engines = self._stop_engines or stop_engines
        self._ended.set()

    def _on_signals(self, stack: AsyncExitStack) -> None:
        loop, serving = asyncio.get_running_loop(), asyncio.current_task()
        if serving:
            self._hurry.append(serving.cancel)
        for number, stop_engines in ((signal.SIGINT, True), (signal.SIGTERM, False)):
            loop.add_signal_handler(number, self._signalled, stop_engines)
            stack.callback(loop.remove_signal_handler, number)

    def _signalled(self, stop_engines: bool) -> None:
        if self._ended.is_set():
            self._hurried = True
            for act in reversed(self._hurry):
                act()
            return
        drain_s = None if stop_engines else self._settings.gateway.drain_s
        logger.info("%s", ending(drain_s, self._answering()), extra={"action": "daemon.ending"})
        self._end(stop_engines)


async def look_again(adopt: Callable[[], Awaitable[None]], every: RoutingDriver) -> None:
    """Where Docker was away when the daemon began, its containers are taken over later."""
    _, faults = await every.look()
    if not faults:
        return
    while faults:
        await asyncio.sleep(LOOK_AGAIN_S)
        _, faults = await every.look()
    await adopt()
