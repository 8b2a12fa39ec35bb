"""`sparkwell serve`: the one process that owns the state and hosts gateway and control API."""

import asyncio
import contextlib
import fcntl
import logging
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import psutil
from aiohttp import web

from sparkwell.admin.api import admin_application
from sparkwell.app.config import Settings
from sparkwell.app.host import About, Host
from sparkwell.app.paths import Paths
from sparkwell.app.service import ModelService
from sparkwell.catalog import Catalog
from sparkwell.core.errors import ConflictError, EnvironmentFault
from sparkwell.core.launch import LaunchSpec
from sparkwell.drivers.process import ProcessDriver
from sparkwell.engines.vllm import read_error, read_line
from sparkwell.gateway.app import Gateway
from sparkwell.store import History, open_database
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.journal import Journal
from sparkwell.supervisor.start import StartWatch, Timeline

logger = logging.getLogger(__name__)


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

    async def run(self) -> None:
        """Serve until somebody ends it. Raises SparkwellError when it cannot even begin."""
        self._paths.make()
        with held(self._paths.lock):
            async with AsyncExitStack() as stack:
                await self._serve(stack)

    async def _serve(self, stack: AsyncExitStack) -> None:
        gateway = self._settings.gateway
        about = About(gateway.host, gateway.port, self._detached, time.time())
        supervisor, host = self._build(stack, about)
        stack.push_async_callback(supervisor.close)
        await stack.enter_async_context(self._listening(host, supervisor))
        self._on_signals(stack)
        logger.info("Ready on %s", about.url, extra={"action": "daemon.ready"})
        await self._ended.wait()
        if self._stop_engines:
            await supervisor.down()

    def _build(self, stack: AsyncExitStack, about: About) -> tuple[Supervisor, Host]:
        database = stack.enter_context(contextlib.closing(open_database(self._paths.store)))
        history, journal = History(database), Journal(time.time)
        driver = ProcessDriver(self._paths.instances)
        engines = self._settings.engines
        watch = StartWatch(
            driver,
            read_line,
            timeout_s=engines.start_timeout_s,
            canary_timeout_s=engines.canary_timeout_s,
        )

        def finished(spec: LaunchSpec, timeline: Timeline) -> None:
            history.add(spec, timeline.durations, time.time())

        supervisor = Supervisor(
            driver, journal, watch, new_id=new_id, read_error=read_error, finished=finished
        )
        models = ModelService(self._paths, self._settings, self._catalog)
        host = Host(about, models, driver, supervisor, journal, history, self._end)
        return supervisor, host

    @asynccontextmanager
    async def _listening(self, host: Host, supervisor: Supervisor) -> AsyncIterator[None]:
        """The gateway's port first: when somebody else has it, nothing else has happened yet.

        The control socket last: an `up` must find what an earlier daemon left running.
        """
        settings = self._settings.gateway
        gateway = Gateway(host, settings.max_body_mb * 10**6).application()
        # Cancelling the handler of a client that went away is what stops the engine's work.
        public = web.AppRunner(
            gateway,
            handler_cancellation=True,
            shutdown_timeout=max(settings.drain_s, 0.01),  # 0 would mean: for ever
            access_log=None,
        )
        control = web.AppRunner(admin_application(host), shutdown_timeout=1.0, access_log=None)
        async with _running(control), _running(public):
            await _listen_tcp(public, settings.host, settings.port)
            await supervisor.adopt()
            await _listen_unix(control, self._paths.socket)
            yield

    def _end(self, stop_engines: bool) -> None:
        self._stop_engines = self._stop_engines or stop_engines
        self._ended.set()

    def _on_signals(self, stack: AsyncExitStack) -> None:
        loop = asyncio.get_running_loop()
        for number, stop_engines in ((signal.SIGINT, True), (signal.SIGTERM, False)):
            loop.add_signal_handler(number, self._signalled, stop_engines)
            stack.callback(loop.remove_signal_handler, number)

    def _signalled(self, stop_engines: bool) -> None:
        if self._ended.is_set():
            raise SystemExit(1)
        words = "stopping the engines" if stop_engines else "leaving the engines running"
        logger.info("Ending, %s", words, extra={"action": "daemon.ending"})
        self._end(stop_engines)


def new_id(model: str) -> str:
    """An instance id that is never used again: the model's name and some random letters."""
    return f"{model}-{secrets.token_hex(3)}"


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Be the only daemon of this state folder; raises ConflictError that names the other one."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 64, 0).decode(errors="replace").strip() or "unknown"
            raise ConflictError(
                f"A daemon is already running for {lock.parent} (process {holder}).",
                hint="`sparkwell status` shows what it does.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


@asynccontextmanager
async def _running(runner: web.AppRunner) -> AsyncIterator[None]:
    await runner.setup()
    try:
        yield
    finally:
        await runner.cleanup()


async def _listen_tcp(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise EnvironmentFault(
            f"The gateway cannot listen on {host}:{port}: {_why(error, port)}.",
            hint="Choose another port with --port, or end what holds this one.",
        ) from None


def _why(error: OSError, port: int) -> str:
    holder = port_holder(port)
    return f"{holder} has it" if holder else (error.strerror or str(error))


def port_holder(port: int) -> str | None:
    """Who listens on a TCP port, as "name (process N)"; None when it cannot be told."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            address = connection.laddr
            if connection.status != psutil.CONN_LISTEN or not address or not connection.pid:
                continue
            if address.port == port:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return None


async def _listen_unix(runner: web.AppRunner, path: Path) -> None:
    """The lock is ours, so a socket that is still there belongs to a dead daemon."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108
    mask = os.umask(0o177)
    try:
        await web.UnixSite(runner, str(path)).start()
    except OSError as error:
        raise EnvironmentFault(
            f"The control socket {path} cannot be made: {error.strerror or error}.",
            hint="Set SPARKWELL_HOME to a folder with a shorter path that you may write to.",
        ) from None
    finally:
        os.umask(mask)
