"""The Ollama driver: the Driver protocol over one server, where an instance is a loaded model.

Whether an instance lives is told by the server's /api/ps; its folder has what was to be loaded,
what the driver did, and how it ended. While it is Sparkwell's, the model has no end of its own
(keep_alive -1); until it is loaded it has one of some minutes, so that what a killed daemon left
half-way does not stay for ever.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from sparkwell.catalog.ollama import parse_ollama
from sparkwell.core.errors import ConflictError, EnvironmentFault, SparkwellError, UsageError
from sparkwell.core.launch import Endpoint, ExitRecord, LaunchSpec, Running
from sparkwell.core.phases import PhaseMark
from sparkwell.drivers.ollama import memory
from sparkwell.drivers.ollama.api import OllamaApi
from sparkwell.drivers.ollama.fetch import (
    Serve,
    ensure_model,
    ensure_server,
    no_server,
    server_version,
)
from sparkwell.drivers.ollama.folder import OllamaFolder
from sparkwell.drivers.ollama.folders import OllamaFolders
from sparkwell.drivers.ollama.following import follow
from sparkwell.drivers.process.folder import check_instance
from sparkwell.drivers.process.follower import read_now
from sparkwell.engines.ollama import PORT, log, read_line
from sparkwell.engines.ollama.launch import source_of

logger = logging.getLogger(__name__)

LONGEST_GRACE_S = 86_400.0
_MISSES = 2  # looks in a row that find nothing: a model that is loaded again is away for a moment


class OllamaDriver:
    """Loads models into the server on a loopback port; one folder an instance under ``root``.

    ``serve`` brings the server up when it does not answer. ``poll_s`` is the pause between looks
    whether a model is still in memory, ``unload_s`` what Ollama gets at least to unload one.
    """

    name = "ollama"

    def __init__(
        self,
        root: Path,
        *,
        port: int = PORT,
        serve: Serve | None = None,
        poll_s: float = 2.0,
        unload_s: float = 30.0,
    ) -> None:
        self._folders = OllamaFolders(root)
        self._port = port
        self._api = OllamaApi(port)
        self._serve = serve
        self._poll_s = poll_s
        self._unload_s = unload_s
        self._starts: dict[str, asyncio.Task[None]] = {}
        self._ended: dict[str, asyncio.Event] = {}

    @property
    def api(self) -> OllamaApi:
        """The server's API."""
        return self._api

    def endpoint(self, instance: str) -> Endpoint:
        """Where the server answers, for all its models. Pure."""
        check_instance(instance)
        return Endpoint(port=self._port)

    def knows(self, instance: str) -> bool:
        """Whether an instance of that id was started here and is not forgotten."""
        return self._folders.of(instance).exists

    def log_path(self, instance: str) -> str:
        """The file with what the driver did for the instance."""
        return str(self._folders.of(instance).log)

    async def fetch(self, model: str, heard: Callable[[PhaseMark], None]) -> None:
        """Bring the server up and a model onto its disk, telling how far it is.

        Raises SparkwellError. A start does the same; done before, it does not hold up others.
        """

        def say(line: str) -> None:
            if mark := read_line(line):
                heard(mark)

        name = parse_ollama(model)
        await ensure_server(self._api, self._serve, say)
        await ensure_model(self._api, name, say)

    async def start(self, spec: LaunchSpec) -> Running:
        """Begin to load a model; its log tells how far it is, its exit record why it failed.

        Raises EnvironmentFault when no server answers and none can be started, ConflictError when
        the id was used before or the model is loaded already.
        """
        folder = self._folders.of(spec.instance)
        version = await server_version(self._api)
        if version is None and self._serve is None:
            raise no_server(self._api)
        await self._refuse_second(spec)
        if folder.exists:
            raise ConflictError(f"Instance {spec.instance} exists already.")
        running = Running(replace(spec, engine_version=version or ""), None, None, time.time())
        try:
            folder.create(running.spec, running.started_at)
        except OSError as error:
            raise EnvironmentFault(
                f"The folder {folder.path} cannot be written: {error}."
            ) from None
        task = asyncio.create_task(self._bring_up(folder, running.spec))
        self._starts[spec.instance] = task
        task.add_done_callback(partial(self._brought_up, spec.instance))
        return running

    async def wait(self, instance: str) -> ExitRecord:
        """Return when the model is no longer in memory; raises UsageError if there was none."""
        folder = self._folders.known(instance)
        misses = 0
        while (record := folder.exit()) is None:
            if instance in self._starts or folder.is_starting:
                await self._pause(instance)
                continue
            gone = await self._has_gone(folder)
            misses = misses + 1 if gone else 0
            if gone and misses >= _MISSES:
                if spec := folder.spec():
                    await memory.tidy(self._api, spec)
                return self._end(folder, gone)
            await self._pause(instance, memory.LOOK_S if gone else None)
        return record

    async def stop(self, instance: str, grace_s: float | None = None) -> ExitRecord:
        """Unload the model and return when /api/ps no longer lists it.

        Running requests are waited for, ``grace_s`` seconds and at least as long as an unload
        takes; there is no force short of ending the server, so EnvironmentFault is raised then.
        """
        folder = self._folders.known(instance)
        _check_grace(grace_s)
        if record := folder.exit():
            return record
        folder.ask_to_stop()
        await self._end_start(instance)
        spec = folder.spec()
        if spec is not None:
            grace = spec.stop_grace_s if grace_s is None else grace_s
            patience_s = max(grace, self._unload_s)
            await memory.unload(self._api, spec, folder.say, patience_s)
        return self._end(folder, None)

    async def running(self) -> list[Running]:
        """All live instances; what is no longer in memory is written down as ended."""
        found = await asyncio.gather(*(self._adopt(folder) for folder in self._folders.every()))
        return sorted((one for one in found if one), key=lambda one: one.started_at)

    def follow(self, instance: str, *, from_start: bool = True) -> AsyncIterator[str]:
        """Yield what the driver does for the instance, until it has ended."""
        folder = self._folders.known(instance)
        return follow(folder.log, partial(self.wait, instance), from_start=from_start)

    async def written(self, instance: str) -> tuple[list[str], list[str]]:
        """The lines so far, and a last one without an end; raises UsageError."""
        return read_now(self._folders.known(instance).log)

    def ended(self) -> list[tuple[LaunchSpec, ExitRecord]]:
        """List the ended instances whose folders are still there, the latest end first."""
        return self._folders.ended()

    def prune(self, keep_per_model: int) -> list[str]:
        """Remove the folders of ended instances but the latest few of each model."""
        return self._folders.prune(keep_per_model)

    async def close(self) -> None:
        """Let go of starts on their way, when the daemon ends; what is loaded stays."""
        starts = list(self._starts.values())
        for task in starts:
            task.cancel()
        await asyncio.gather(*starts, return_exceptions=True)

    # ── the way up ──────────────────────────────────────────────────────────────────────────

    async def _bring_up(self, folder: OllamaFolder, spec: LaunchSpec) -> None:
        """Load the model; a failure ends the instance, with its reason in the log."""
        try:
            with folder.starting():
                await self._load(folder, spec)
        except SparkwellError as error:
            folder.say(log.failed(str(error)))
            await memory.abandon(self._api, spec)
            self._end(folder, None, code=1)
        except Exception as error:
            logger.exception("%s could not be loaded", spec.model)
            folder.say(log.failed(f"Sparkwell made a mistake ({type(error).__name__}: {error})"))
            self._end(folder, None, code=1)

    def _brought_up(self, instance: str, _task: asyncio.Task[None]) -> None:
        self._starts.pop(instance, None)
        self._wake(instance)

    async def _load(self, folder: OllamaFolder, spec: LaunchSpec) -> None:
        def say(line: str) -> None:
            if folder.is_to_stop:  # by another daemon, which cannot cancel this
                raise EnvironmentFault("its end was asked for")
            folder.say(line)

        await ensure_server(self._api, self._serve, say)
        await ensure_model(self._api, source_of(spec), say)
        await memory.load(self._api, spec, say)

    # ── the way down ────────────────────────────────────────────────────────────────────────

    async def _end_start(self, instance: str) -> None:
        """End a start on its way, ours or another daemon's, which sees the mark."""
        if task := self._starts.get(instance):
            task.cancel()
            await asyncio.wait({task})
        folder = self._folders.of(instance)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._unload_s):
                while folder.is_starting:  # noqa: ASYNC110 - a lock in the kernel tells nobody
                    await asyncio.sleep(memory.LOOK_S)

    async def _has_gone(self, folder: OllamaFolder) -> str | None:
        """Why the instance is over, as a line for its log; None while it is in memory."""
        spec = folder.spec()
        if spec is None:
            return log.failed(f"{folder.path / 'spec.json'} cannot be read")
        gone, state = await memory.has_gone(self._api, spec)
        if state and not folder.is_to_stop:
            await memory.keep(self._api, spec, state, folder.say)
        return gone

    def _end(self, folder: OllamaFolder, line: str | None, *, code: int | None = 0) -> ExitRecord:
        """Write down the end; one that the log has a reason for was not seen as it happened."""
        if line and not folder.is_to_stop:
            folder.say(line)
        requested = folder.is_to_stop
        record = folder.end(code=None if line and not requested else code, requested=requested)
        self._wake(folder.path.name)
        return record

    # ── helpers ─────────────────────────────────────────────────────────────────────────────

    async def _adopt(self, folder: OllamaFolder) -> Running | None:
        if folder.exit() or not (running := folder.running()):
            return None
        instance = running.spec.instance
        if instance in self._starts or folder.is_starting:
            return running
        gone = await self._has_gone(folder)
        if gone:
            self._end(folder, gone)
        return None if gone else running

    async def _refuse_second(self, spec: LaunchSpec) -> None:
        for other in await self.running():
            if other.spec.served_model == spec.served_model:
                raise ConflictError(
                    f"{spec.model} is loaded already, as instance {other.spec.instance}."
                )

    async def _pause(self, instance: str, seconds: float | None = None) -> None:
        """Wait for the next look, or for what this driver itself does to the instance."""
        happened = self._ended.setdefault(instance, asyncio.Event())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds or self._poll_s):
                await happened.wait()

    def _wake(self, instance: str) -> None:
        if happened := self._ended.pop(instance, None):
            happened.set()


def _check_grace(grace_s: float | None) -> None:
    if grace_s is not None and not 0 <= grace_s <= LONGEST_GRACE_S:
        raise UsageError(f"grace_s must be 0 to {LONGEST_GRACE_S:.0f} seconds, got {grace_s}.")
