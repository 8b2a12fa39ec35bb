"""The process driver: the Driver protocol over folders and shims.

It holds no state. Whether an instance lives is told by its folder's lock, how it ended by its
exit.json; everything else is asked of its shim.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from sparkwell.core.errors import ConflictError, EnvironmentFault, UsageError
from sparkwell.core.launch import Endpoint, ExitRecord, LaunchSpec, Running
from sparkwell.drivers.ended import latest_first, surplus
from sparkwell.drivers.process import records
from sparkwell.drivers.process.folder import InstanceFolder, check_instance
from sparkwell.drivers.process.follower import follow, read_now
from sparkwell.drivers.process.inherited import base_environment
from sparkwell.drivers.process.launcher import launch, launch_document
from sparkwell.drivers.process.lifetime import abandon, adopt, until_end
from sparkwell.drivers.process.shim import files
from sparkwell.drivers.process.sockets import socket_folder

LOG_BYTES = 16 * 1024 * 1024
LOG_FILES = 3
SHORT_ROOT = Path("/tmp")  # noqa: S108 - only for folders checked to be ours alone


class ProcessDriver:
    """Runs engines as processes of this machine, one folder an instance under ``root``.

    ``log_bytes`` is the size at which a log is rotated, ``log_files`` how many older ones are
    kept. ``environ`` is where the few inherited variables are taken from.
    """

    name = "process"

    def __init__(
        self,
        root: Path,
        *,
        log_bytes: int = LOG_BYTES,
        log_files: int = LOG_FILES,
        short_root: Path = SHORT_ROOT,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._root = root.absolute()
        self._log_limits = (log_bytes, log_files)
        self._short_root = short_root
        self._environ = os.environ if environ is None else environ

    def endpoint(self, instance: str) -> Endpoint:
        """Tell which Unix socket the engine is to serve on. Pure."""
        return Endpoint(uds=str(self._sockets(instance) / files.ENGINE_SOCKET))

    def knows(self, instance: str) -> bool:
        """Tell whether an instance of that id was started here and is not forgotten."""
        return self._folder(instance).exists

    def log_path(self, instance: str) -> str:
        """Tell which file holds the newest part of the output; older parts end in .1, .2, .3."""
        return str(self._folder(instance).log)

    async def start(self, spec: LaunchSpec) -> Running:
        """Start the engine under a shim of its own; returns once it has been executed.

        Raises EnvironmentFault when the program cannot be executed or the folder cannot be
        written, ConflictError when the instance id was used before.
        """
        folder = self._folder(spec.instance)
        if folder.exists:  # first of all: a failed start is undone, and must not undo that one
            raise ConflictError(f"Instance {spec.instance} exists already.")
        try:
            news = await launch(folder, self.render(spec))
        except (asyncio.CancelledError, EnvironmentFault):
            await abandon(folder)
            raise
        if "error" in news:
            await self.wait(spec.instance)
            raise _cannot_start(spec, news["error"])
        return records.running_from_json(spec, news)

    def render(self, spec: LaunchSpec) -> dict[str, object]:
        """Render launch.json, the whole of what ``start`` would apply. Pure."""
        return launch_document(
            spec,
            folder=self._folder(spec.instance).path,
            sockets=self._sockets(spec.instance),
            env=base_environment(self._environ) | dict(spec.env),
            log=self._log_limits,
        )

    async def wait(self, instance: str) -> ExitRecord:
        """Return when no process of the instance is left; raises UsageError if there was none."""
        return await until_end(self._known(instance), grace_s=None)

    async def stop(self, instance: str, grace_s: float | None = None) -> ExitRecord:
        """End the instance and be sure of it; several callers may ask at once.

        ``grace_s`` None means the spec's own. A shim that does not answer is killed, and what
        it kept is ended without it.
        """
        folder = self._known(instance)
        if grace_s is None:
            spec = folder.spec()
            grace_s = spec.stop_grace_s if spec else 0.0
        return await until_end(folder, grace_s=grace_s)

    async def running(self) -> list[Running]:
        """Find all live instances; end what killed shims have left of others."""
        found = await asyncio.gather(*(adopt(folder) for folder in self._folders()))
        return sorted((one for one in found if one), key=lambda one: one.started_at)

    def follow(self, instance: str, *, from_start: bool = True) -> AsyncIterator[str]:
        """Yield lines of output until the instance has ended; raises UsageError at once."""
        return follow(self._known(instance), from_start=from_start)

    async def written(self, instance: str) -> tuple[list[str], list[str]]:
        """Read the lines so far, and a last one without an end; raises UsageError."""
        return read_now(self._known(instance).log)

    def ended(self) -> list[tuple[LaunchSpec, ExitRecord]]:
        """List the ended instances whose folders are still there, the latest end first."""
        return latest_first((folder.spec(), folder.exit()) for folder in self._folders())

    def prune(self, keep_per_model: int) -> list[str]:
        """Remove the folders of ended instances but the latest few of each model.

        Returns the instance ids that are gone, their logs with them.
        """
        return [each for each in surplus(self.ended(), keep_per_model) if self._remove(each)]

    def _remove(self, instance: str) -> bool:
        folder = self._folder(instance)
        with folder.lock() as lock:  # a shim at its last breath: the next time, then
            if lock is not None:
                folder.remove()
        return lock is not None

    def _folder(self, instance: str) -> InstanceFolder:
        return InstanceFolder(self._root / check_instance(instance))

    def _known(self, instance: str) -> InstanceFolder:
        folder = self._folder(instance)
        if not folder.exists:
            raise UsageError(f"There is no instance {instance}.")
        return folder

    def _folders(self) -> list[InstanceFolder]:
        if not self._root.is_dir():
            return []
        paths = (path for path in self._root.iterdir() if not path.name.startswith("."))
        return [folder for folder in map(InstanceFolder, sorted(paths)) if folder.exists]

    def _sockets(self, instance: str) -> Path:
        return socket_folder(self._folder(instance).path, self._short_root, os.getuid())


def _cannot_start(spec: LaunchSpec, error: list[str]) -> EnvironmentFault:
    what, reason = error
    return EnvironmentFault(
        f"The engine of {spec.model} cannot be started: {what}: {reason}.",
        hint=f"The command was: {' '.join(spec.argv)}",
    )
