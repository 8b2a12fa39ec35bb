"""The compose driver: the Driver protocol over folders and containers.

It holds no state but the ports that it has named. What lives is what Docker says, how it ended
is in the folder's exit.json.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from time import time as now

from sparkwell.core.errors import UsageError
from sparkwell.core.launch import Endpoint, ExitRecord, LaunchSpec, Running
from sparkwell.drivers.compose.api import DockerAt, Engine
from sparkwell.drivers.compose.faults import DockerUnreachableError, maybe_running
from sparkwell.drivers.compose.folder import ContainerFolder
from sparkwell.drivers.compose.follower import follow, written
from sparkwell.drivers.compose.frames import Position
from sparkwell.drivers.compose.lifetime import Home, abandon, adopt, check_grace, until_end
from sparkwell.drivers.compose.ports import choose, is_free
from sparkwell.drivers.compose.rendering import render
from sparkwell.drivers.compose.seen import Seen
from sparkwell.drivers.compose.starting import bring_up, clear_the_way
from sparkwell.drivers.ended import latest_first, surplus
from sparkwell.drivers.process.folder import check_instance
from sparkwell.hardware.visible import choice

FIRST_PORT = 18_000
PATIENCE_S = 60.0
_NAMED_PORTS = 100

log = logging.getLogger(__name__)


class ComposeDriver:
    """Runs engines in containers, one folder an instance under ``root``.

    ``first_port`` begins the range of loopback ports, ``patience_s`` is how long Docker may be
    silent while somebody waits (it restarts within seconds), ``environ`` is where Docker's own
    variables are taken from, and the choice among several GPUs.
    """

    name = "compose"

    def __init__(
        self,
        root: Path,
        *,
        project: str = "sparkwell",
        first_port: int = FIRST_PORT,
        patience_s: float = PATIENCE_S,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._root = root.absolute()
        self._project = project
        self._first_port = first_port
        docker = DockerAt(os.environ if environ is None else environ)
        self._gpus = choice(docker.environ)
        self._home = Home(docker, self._root, patience_s)
        self._named: dict[str, int] = {}
        self._told: set[str] = set()

    def endpoint(self, instance: str) -> Endpoint:
        """Tell which loopback port the engine's is to be published on. Creates nothing.

        The same answer again for the same instance; where it never was started, as long as the
        port stays free.
        """
        spec = self._folder(instance).spec()
        if spec:
            return spec.endpoint
        if instance not in self._named:
            port = choose(instance, self._first_port, self._taken(), is_free)
            self._named[instance] = port
        return Endpoint(port=self._named[instance])

    def log_path(self, instance: str) -> str:
        """Tell which file holds the newest part of the output, once the instance has ended.

        While it lives its output is Docker's: `follow` reads it from there.
        """
        return str(self._folder(instance).log)

    def knows(self, instance: str) -> bool:
        """Whether an instance of that id was started here and is not forgotten."""
        return self._folder(instance).exists

    def render(self, spec: LaunchSpec) -> str:
        """Render compose.yaml, the whole of what ``start`` would apply. Pure."""
        return render(spec, self._root, self._project, self._gpus)

    async def start(self, spec: LaunchSpec) -> Running:
        """Start the container; returns once the engine in it has been executed.

        Raises EnvironmentFault or ConflictError that names what is missing or in the way. Nothing
        is left of a start that failed or was cancelled.
        """
        folder = self._folder(spec.instance)
        try:
            return await self._start(folder, spec)
        except BaseException:
            if folder.is_abandoned:
                await abandon(self._home, folder)
            raise

    async def _start(self, folder: ContainerFolder, spec: LaunchSpec) -> Running:
        with folder.claimed(spec, self.render(spec)) as lock:
            try:
                await clear_the_way(self._home, spec)
            except BaseException:
                folder.remove()  # Docker has not been asked for anything yet
                raise
            try:
                return await bring_up(self._home, folder, spec, self._project, lock)
            except BaseException:
                folder.note_stop(abandoned=True)
                raise

    async def wait(self, instance: str) -> ExitRecord:
        """Return when no process of the instance is left; raises UsageError if there was none.

        Raises EnvironmentFault when Docker has been silent for too long.
        """
        return await until_end(self._home, self._known(instance), grace_s=None)

    async def stop(self, instance: str, grace_s: float | None = None) -> ExitRecord:
        """End the instance and be sure of it; several callers may ask at once.

        ``grace_s`` None means the spec's own.
        """
        folder = self._known(instance)
        if grace_s is None:
            spec = folder.spec()
            grace_s = spec.stop_grace_s if spec else 0.0
        return await until_end(self._home, folder, grace_s=check_grace(grace_s))

    async def running(self) -> list[Running]:
        """Find all live instances; record the end of those that ended meanwhile.

        Where no Docker answers and all instances of this root have ended, nothing runs. Otherwise
        nobody can tell: raises DockerUnreachableError with the models that may.
        """
        try:
            async with self._home.docker.connect() as engine:
                await self._look_for_strays(engine)
                looks = (adopt(self._home, engine, folder) for folder in self._folders())
                found = await asyncio.gather(*looks)
        except DockerUnreachableError as error:
            if unseen := [_model(folder) for folder in self._folders() if not folder.has_exit]:
                raise maybe_running(error, unseen) from error
            return []
        return sorted((one for one in found if one), key=lambda one: one.started_at)

    def follow(self, instance: str, *, from_start: bool = True) -> AsyncIterator[str]:
        """Yield lines of output until the instance has ended; raises UsageError at once."""
        return follow(self._home, self._known(instance), Position(None if from_start else now()))

    async def written(self, instance: str) -> tuple[list[str], list[str]]:
        """Read the lines so far, and last ones without an end; raises UsageError."""
        return await written(self._home, self._known(instance))

    def ended(self) -> list[tuple[LaunchSpec, ExitRecord]]:
        """List the ended instances whose folders are still there, the latest end first.

        What ended while nobody looked is among them after the next `running`.
        """
        return latest_first((folder.spec(), folder.exit()) for folder in self._folders())

    def prune(self, keep_per_model: int) -> list[str]:
        """Remove the folders of ended instances but the latest few of each model.

        Returns the instance ids that are gone, their logs with them.
        """
        return [each for each in surplus(self.ended(), keep_per_model) if self._remove(each)]

    def _remove(self, instance: str) -> bool:
        folder = self._folder(instance)
        with folder.lock() as lock:  # its container is being removed: the next time, then
            if lock is not None:
                folder.remove()
        return lock is not None

    async def _look_for_strays(self, engine: Engine) -> None:
        """Containers of ours without a folder: ended ones go, a live one is told of."""
        for seen in await engine.find(self._home.labels()):
            folder = self._folder(seen.instance or "")
            if folder.has_exit or not folder.exists:
                await self._clear(engine, seen)

    async def _clear(self, engine: Engine, seen: Seen) -> None:
        if seen.is_alive:
            self._tell_once(
                f"The container {seen.name} runs as instance {seen.instance}, of which there is "
                f"no record in {self._root}. `docker rm -f {seen.name}` ends it."
            )
        else:
            await engine.remove(seen.id)

    def _tell_once(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            log.warning("%s", what)

    def _taken(self) -> set[int]:
        """The ports that live instances have, or were told of; few may be told and not start."""
        while len(self._named) > _NAMED_PORTS:
            del self._named[next(iter(self._named))]
        ended = [name for name in self._named if self._folder(name).has_exit]
        for instance in ended:
            del self._named[instance]
        live = (folder.spec() for folder in self._folders() if not folder.has_exit)
        return {*self._named.values(), *(spec.endpoint.port or 0 for spec in live if spec)}

    def _folder(self, instance: str) -> ContainerFolder:
        return ContainerFolder(self._root / check_instance(instance))

    def _known(self, instance: str) -> ContainerFolder:
        folder = self._folder(instance)
        if not folder.exists:
            raise UsageError(f"There is no instance {instance}.")
        return folder

    def _folders(self) -> list[ContainerFolder]:
        if not self._root.is_dir():
            return []
        paths = (path for path in self._root.iterdir() if not path.name.startswith("."))
        return [folder for folder in map(ContainerFolder, sorted(paths)) if folder.exists]


def _model(folder: ContainerFolder) -> str:
    """What an instance serves; its id where the record is damaged."""
    spec = folder.spec()
    return spec.model if spec else folder.instance
