"""The life of a fake engine: bind, load, serve, and one of several ends."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import NoReturn

from sparkwell.core.phases import Phase
from sparkwell.testing.fake_engine import failures
from sparkwell.testing.fake_engine.arguments import EngineArguments
from sparkwell.testing.fake_engine.binding import bound_socket, server_side
from sparkwell.testing.fake_engine.core_process import EngineCore
from sparkwell.testing.fake_engine.loading import LoadFailedError, Loading
from sparkwell.testing.fake_engine.log import Log
from sparkwell.testing.fake_engine.memory import Memory
from sparkwell.testing.fake_engine.process import Process
from sparkwell.testing.fake_engine.script import Script
from sparkwell.testing.fake_engine.wording import load_style

_LOOK_AFTER_CORE_S = 0.1
_CORE_DIED_CODE = 1


class CoreEndedError(Exception):
    """EngineCore has ended while it was loading."""


class FakeEngine:
    """One run of the program."""

    def __init__(self, arguments: EngineArguments, script: Script) -> None:
        self._arguments, self._script = arguments, script
        self._style = load_style(script.style)
        self._log = Log(self._style)
        self._core: EngineCore | None = None
        self._memory = Memory(script)

    async def run(self) -> int:
        """Live until the script or a signal ends it; return the exit status."""
        told = self._listen_for_signals()
        life = asyncio.create_task(self._live())
        try:
            await asyncio.wait([life, told], return_when=asyncio.FIRST_COMPLETED)
            return await life if life.done() else await self._stop(life)
        finally:
            told.cancel()
            self._end_core()

    def _listen_for_signals(self) -> asyncio.Task[bool]:
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, told.set)
        if self._script.ignore_sigterm:  # before EngineCore starts, which inherits it
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        else:
            loop.add_signal_handler(signal.SIGTERM, told.set)
        return asyncio.create_task(told.wait())

    async def _live(self) -> int:
        """Bind early and listen late, as vLLM does; return the status of an early end."""
        late = self._script.bind_late
        try:
            if late:
                await self._load()
            with bound_socket(self._arguments) as sock:
                if not late:
                    await self._load()
                return await self._serve(sock)
        except LoadFailedError as failure:
            return self._fail(failure.phase)
        except CoreEndedError:
            self._log.traceback("api", failures.traceback(failures.CORE_FAILED, "run_server"))
            return _CORE_DIED_CODE

    async def _serve(self, sock: socket.socket) -> int:
        if self._script.never_ready:
            return await self._watch_core()
        async with self._serving(sock):
            return await self._watch_core()

    async def _load(self) -> None:
        begin: dict[Phase, Callable[[], object]] = {Phase.LAUNCH: server_side}
        begin |= {Phase.INIT: self._start_core, **self._memory.by_phase()}
        loading = Loading(self._script, self._style, self._arguments, self._log, begin)
        await self._unless_core_ends(asyncio.create_task(loading.run()))

    async def _unless_core_ends(self, loading: asyncio.Task[None]) -> None:
        """The API server waits for EngineCore's word, and sees its end."""
        ending = asyncio.create_task(self._core_has_ended())
        try:
            await asyncio.wait([loading, ending], return_when=asyncio.FIRST_COMPLETED)
            if not loading.done():
                raise CoreEndedError
            await loading
        finally:
            for task in (loading, ending):
                task.cancel()

    async def _core_has_ended(self) -> None:
        while not (self._core and self._core.has_ended()):  # noqa: ASYNC110 -- a process, no event
            await asyncio.sleep(_LOOK_AFTER_CORE_S)

    @asynccontextmanager
    async def _serving(self, sock: socket.socket) -> AsyncIterator[None]:
        server = server_side()
        process = Process(self._die, self._kill_core, self._memory)
        app = server.build(self._arguments, self._script, self._style.version, self._log, process)
        runner = await server.listen(sock, app)
        leaking = asyncio.create_task(self._memory.leak())
        if self._script.die_after_s is not None:
            asyncio.get_running_loop().call_later(self._script.die_after_s, self._die)
        try:
            yield
        finally:
            leaking.cancel()
            await runner.cleanup()

    def _start_core(self) -> None:
        self._core = self._memory.core = EngineCore(self._script)
        self._log.core_pid = self._core.pid

    async def _watch_core(self) -> int:
        """Live as long as EngineCore does."""
        await self._core_has_ended()
        self._log.traceback("api", failures.traceback(failures.CORE_DIED, "output_handler"))
        return _CORE_DIED_CODE

    def _kill_core(self) -> None:
        if self._core:
            self._core.kill()

    def _end_core(self) -> None:
        if self._core:
            self._core.end()

    def _fail(self, phase: Phase) -> int:
        """Say why loading failed, in EngineCore when it runs, then in the API server."""
        if self._script.die_at_phase == phase:
            self._die()
        if self._script.fail_log:
            self._log.quote(self._script.fail_log)
            return self._script.fail_code
        last_line = failures.message(phase, self._script.fail_message)
        if self._core:
            self._log.say("core [core.py:1231] EngineCore failed to start.", level="ERROR")
            self._log.traceback("core", failures.traceback(last_line))
            last_line = failures.CORE_FAILED
        self._log.traceback("api", failures.traceback(last_line, "run_server"))
        return self._script.fail_code

    async def _stop(self, life: asyncio.Task[int]) -> int:
        """End gently: abort requests, close the socket, take the time that the script wants."""
        self._log.say("api [launcher.py:100] [shutdown] API server: shutdown triggered")
        life.cancel()
        with suppress(asyncio.CancelledError):
            await life
        await asyncio.sleep(self._script.slow_stop_s)
        if self._script.die_on_sigterm:
            self._die()
        self._log.say("uvicorn INFO:     Application shutdown complete.")
        return 0

    def _die(self) -> NoReturn:
        """End at once, whatever is going on: connections break; a signal leaves no last words."""
        if self._script.die_code >= 0:
            self._log.traceback("core", failures.traceback("RuntimeError: the fake engine died"))
        self._end_core()
        if self._script.die_code < 0:
            os.kill(os.getpid(), -self._script.die_code)
        os._exit(self._script.die_code)
