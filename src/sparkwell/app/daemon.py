"""`sparkwell serve`: the one process that owns the state and hosts gateway and control API."""

import asyncio
import contextlib
import logging
import re
import secrets
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from aiohttp import web

from sparkwell.admin.api import admin_application
from sparkwell.app.config import Settings
from sparkwell.app.describing import Describer
from sparkwell.app.drivers import Drivers, make_drivers
from sparkwell.app.fetchers import HostFetchers, pull_image
from sparkwell.app.host import About, Host
from sparkwell.app.listening import cut, listen_tcp, listen_unix, running
from sparkwell.app.lock import held
from sparkwell.app.ollama_starts import OllamaStarts
from sparkwell.app.paths import Paths
from sparkwell.app.recording import Recorder
from sparkwell.app.service import ModelService
from sparkwell.app.starter import Starter
from sparkwell.catalog import Catalog
from sparkwell.core.launch import LaunchSpec
from sparkwell.drivers.ollama.plan import Kept
from sparkwell.drivers.routing import RoutingDriver
from sparkwell.gateway.app import Gateway
from sparkwell.store import History, Starts, open_database
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.journal import Journal
from sparkwell.supervisor.start import StartWatch, Timeline

logger = logging.getLogger(__name__)
LOOK_AGAIN_S = 5.0


class Daemon:
    """Everything, put together, from start to end.

    SIGINT ends the daemon and the engines; SIGTERM drains requests and leaves the engines to
    the next daemon. A second signal of either kind does not wait any longer.
    """

    def __init__(
        self, paths: Paths, settings: Settings, catalog: Catalog, *, detached: bool = False
    ) -> None:
        self._paths = paths
        self._settings = settings
        self._catalog = catalog
        self._detached = detached
        self._ended = asyncio.Event()
        self._stop_engines = False
        self._hurried = False
        self._hurry: list[Callable[[], object]] = []

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
        about = About(gateway.host, gateway.port, self._detached, time.time())
        # Signals first, so that they are heard to the very end, while connections close too.
        self._on_signals(stack)
        supervisor, host, starter, drivers = self._build(stack, about)
        stack.push_async_callback(supervisor.close)
        await stack.enter_async_context(self._listening(host, supervisor))
        looking = asyncio.create_task(look_again(supervisor.adopt, drivers.every))
        stack.callback(looking.cancel)
        logger.info("Ready on %s", about.url, extra={"action": "daemon.ready"})
        await self._ended.wait()
        supervisor.refuse_more()
        if self._stop_engines:
            await supervisor.down()
            await starter.ollama.tidy([])

    def _build(
        self, stack: AsyncExitStack, about: About
    ) -> tuple[Supervisor, Host, Starter, Drivers]:
        database = stack.enter_context(contextlib.closing(open_database(self._paths.store)))
        history, journal = History(database), Journal(time.time)
        models = ModelService(self._paths, self._settings, self._catalog)
        gpus = models.planning.here.device == "cuda"
        drivers = make_drivers(self._paths, self._settings, models.environ, gpus=gpus)
        stack.push_async_callback(drivers.ollama.close)
        engines = self._settings.engines

        def finished(spec: LaunchSpec, timeline: Timeline) -> None:
            history.add(spec, timeline.durations, time.time())

        supervisor = Supervisor(
            drivers.every,
            journal,
            StartWatch(
                drivers.every,
                timeout_s=engines.start_timeout_s,
                canary_timeout_s=engines.canary_timeout_s,
            ),
            new_id=new_id,
            finished=finished,
            measured=Recorder(Starts(database), self._catalog),
        )
        starter = make_starter(models, drivers, self._paths)
        host = Host(
            about,
            models,
            starter,
            drivers.every,
            supervisor,
            journal,
            Describer(models, drivers.every, supervisor, history),
            self._end,
        )
        return supervisor, host, starter, drivers

    @asynccontextmanager
    async def _listening(self, host: Host, supervisor: Supervisor) -> AsyncIterator[None]:
        """The gateway's port first: when somebody else has it, nothing else has happened yet.

        The control socket last: an `up` must find what an earlier daemon left running.
        """
        settings = self._settings.gateway
        gateway = Gateway(host.served, settings.max_body_mb * 10**6).application()
        # Cancelling the handler of a client that went away is what stops the engine's work.
        public = web.AppRunner(
            gateway,
            handler_cancellation=True,
            shutdown_timeout=max(settings.drain_s, 0.01),  # 0 would mean: for ever
            access_log=None,
        )
        control = web.AppRunner(admin_application(host), shutdown_timeout=1.0, access_log=None)
        async with running(control), running(public):
            await listen_tcp(public, settings.host, settings.port)
            await supervisor.adopt()
            await listen_unix(control, self._paths.socket)
            self._hurry.append(lambda: cut(public))
            yield
            if self._stop_engines:
                cut(public)  # their engine has gone: there is nothing to wait for

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
        words = "stopping the engines" if stop_engines else "leaving the engines running"
        logger.info("Ending, %s", words, extra={"action": "daemon.ending"})
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


def make_starter(models: ModelService, drivers: Drivers, paths: Paths) -> Starter:
    """What makes starts on this host."""
    fetchers = HostFetchers(models, partial(pull_image, models.environ), [paths.config])
    kept = Kept(models.environ, (models.settings.folders.ollama,))
    ollama = OllamaStarts(
        drivers.ollama, drivers.ollama_server, models.planning, models.settings, kept
    )
    return Starter(models, drivers.every, fetchers, ollama)


def new_id(model: str) -> str:
    """An instance id that is never used again: the model's name and some random letters."""
    word = re.sub(r"[^a-z0-9._-]+", "-", model.lower())[:100].strip(".-_")
    return f"{word or 'model'}-{secrets.token_hex(3)}"
