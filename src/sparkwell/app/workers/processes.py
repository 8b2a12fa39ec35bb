"""The workers' processes: started, started again when they die, and ended."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from sparkwell.core.errors import EnvironmentFault
from sparkwell.gateway.remote.faults import error_of
from sparkwell.gateway.remote.hub import Hub

logger = logging.getLogger(__name__)
START_S = 60.0
"""A worker that does not take clients by then never will."""
END_S = 2.0
"""What an ending worker has beside the time that its requests have."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 30.0
LIVED_S = 60.0
"""A worker that lived as long as this did not die of what it is."""
Process = asyncio.subprocess.Process


def argv_of(path: Path) -> list[str]:
    """The command of a worker that asks the daemon at that socket."""
    return [sys.executable, "-m", "sparkwell.app.workers", str(path)]


class Workers:
    """So many processes that serve as one gateway.

    A worker that dies is started again, after a pause that grows while it goes on dying.
    """

    def __init__(
        self,
        hub: Hub,
        path: Path,
        number: int,
        argv: Callable[[Path], Sequence[str]] = argv_of,
    ) -> None:
        self._hub, self._path, self._number = hub, path, number
        self._argv = argv
        self._processes: set[Process] = set()
        self._keeping: list[asyncio.Task[None]] = []
        self._ending = self._hurried = False

    @property
    def pids(self) -> list[int]:
        """The processes that live."""
        return [each.pid for each in self._processes]

    async def start(self) -> None:
        """Return when all take clients; raises SparkwellError where one cannot, and ends them."""
        await self._hub.listen(self._path)
        try:
            started = await asyncio.gather(*(self._begin() for _ in range(self._number)))
        except BaseException:
            await self._end(0.0)
            raise
        self._keeping = [asyncio.create_task(self._keep(each)) for each in started]

    def cut(self) -> None:
        """Have all end at once, whatever they are doing."""
        self._hurried = True
        self._hub.drain(0.0)

    async def close(self, drain_s: float) -> None:
        """Take no more clients; requests that are being answered have ``drain_s`` seconds."""
        self._ending = True
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        await self._end(0.0 if self._hurried else drain_s)

    async def _end(self, drain_s: float) -> None:
        """However this ends, no process is left."""
        self._ending = True
        self._hub.drain(drain_s)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(drain_s + END_S):
                    await self._all_gone()
        finally:
            for each in self._processes:
                with contextlib.suppress(ProcessLookupError):
                    each.kill()
            await self._all_gone()
            await self._hub.close()

    async def _all_gone(self) -> None:
        for each in tuple(self._processes):
            await each.wait()
            self._processes.discard(each)

    # ── one of them ─────────────────────────────────────────────────────────────────────────

    async def _begin(self) -> Process:
        """A process that takes clients; raises SparkwellError that says why it does not."""
        process = await self._spawn()
        coming = self._hub.expect(process.pid)
        ended = asyncio.create_task(process.wait())
        await asyncio.wait((coming, ended), timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if coming.done():
            fault = coming.result()
            if fault is None:
                return process
            raise error_of(fault)
        raise EnvironmentFault(
            "A process of the gateway did not start.",
            hint="What it said is above; `gateway.workers: 1` does without it.",
        )

    async def _spawn(self) -> Process:
        """In a session of its own: Ctrl-C is for the daemon, which says what is to be done."""
        process = await asyncio.create_subprocess_exec(
            *self._argv(self._path), stdin=asyncio.subprocess.DEVNULL, start_new_session=True
        )
        self._processes.add(process)
        return process

    async def _keep(self, process: Process) -> None:
        loop = asyncio.get_running_loop()
        pause_s, began = FIRST_PAUSE_S, loop.time()
        while True:
            await process.wait()
            self._processes.discard(process)
            self._hub.forget(process.pid)
            pause_s = FIRST_PAUSE_S if loop.time() - began >= LIVED_S else pause_s
            logger.warning(
                "A process of the gateway (%d) ended: %s. Another one starts in %.3g s",
                process.pid,
                _why(process.returncode),
                pause_s,
            )
            process = await self._another(pause_s)
            pause_s, began = min(2 * pause_s, LONGEST_PAUSE_S), loop.time()

    async def _another(self, pause_s: float) -> Process:
        """One more, after a pause; or when the system has room for it again."""
        while True:
            await asyncio.sleep(pause_s)
            try:
                return await self._spawn()
            except OSError as error:
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                logger.warning(
                    "A process of the gateway cannot be started: %s. Once more in %.3g s",
                    error,
                    pause_s,
                )


def _why(code: int | None) -> str:
    return f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
