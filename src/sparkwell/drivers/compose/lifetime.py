"""From a folder to the container that it stands for, and from its end to its record.

The end is settled in three steps, each of which may be the last before we are killed: the log is
saved, the record is written, the container is removed. Whoever comes next goes on from there.
"""

import asyncio
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sparkwell.core.errors import EnvironmentFault, UsageError
from sparkwell.core.launch import ExitRecord, Running
from sparkwell.drivers.compose.api import DockerAt, Engine
from sparkwell.drivers.compose.faults import DockerUnreachableError
from sparkwell.drivers.compose.folder import ContainerFolder
from sparkwell.drivers.compose.processes import engine_of, in_container
from sparkwell.drivers.compose.saving import save_log
from sparkwell.drivers.compose.seen import HOME, INSTANCE, Seen, record_of

LOOK_AGAIN_S = 0.05
GIVE_UP_S = 30.0
SHORT_PATIENCE_S = 2.0
LONGEST_GRACE_S = 86_400.0

log = logging.getLogger(__name__)


class Patience:
    """Bears with a Docker that does not answer, for ``limit_s`` seconds at a stretch."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._since: float | None = None

    def well(self) -> None:
        """It has answered."""
        self._since = None

    async def bear(self, error: DockerUnreachableError) -> None:
        """Wait a little; raises ``error`` when it has been silent for too long."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if now - self._since >= self._limit_s:
            raise error
        await asyncio.sleep(min(0.5, self._limit_s / 10))


@dataclass(frozen=True, slots=True)
class Home:
    """What is needed to find the containers of one installation.

    ``root`` holds their folders and is their label, ``patience_s`` is how long a Docker may be
    silent before a waiting caller is told.
    """

    docker: DockerAt
    root: Path
    patience_s: float

    def labels(self, instance: str | None = None) -> Mapping[str, str]:
        """The labels of one instance's container, or of all."""
        return {HOME: str(self.root)} | ({INSTANCE: instance} if instance else {})

    async def find(self, engine: Engine, instance: str) -> Seen | None:
        """The instance's container, in whatever state; None when there is none."""
        found = await engine.find(self.labels(instance))
        return found[0] if found else None


class Ending:
    """Brings about the end of one container: asks, then kills, then gives up."""

    def __init__(self, grace_s: float | None) -> None:
        self._grace_s = grace_s
        self._asked_at: float | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether somebody wants the end, not just to wait for it."""
        return self._grace_s is not None

    async def push(self, engine: Engine, seen: Seen) -> None:
        """Do the next thing and wait a while for its effect.

        Raises EnvironmentFault when the kernel does not end it.
        """
        if self._grace_s is None:
            await engine.ended(seen.id, None)
        elif self._asked_at is None:
            self._asked_at = time.monotonic()
            await engine.signal(seen.id, seen.stop_signal)
        else:
            await self._insist(engine, seen, time.monotonic() - self._asked_at - self._grace_s)

    async def _insist(self, engine: Engine, seen: Seen, late_s: float) -> None:
        if late_s > GIVE_UP_S:
            raise EnvironmentFault(
                f"The container {seen.name} cannot be ended.",
                hint=f"`docker kill {seen.name}`; if that hangs too, restart Docker.",
            )
        if late_s >= 0:
            await engine.signal(seen.id, "SIGKILL")
        await engine.ended(seen.id, 1.0 if late_s >= 0 else -late_s)


def check_grace(grace_s: float) -> float:
    """Return a grace that makes sense, in seconds; raises UsageError for another."""
    if not (math.isfinite(grace_s) and 0 <= grace_s <= LONGEST_GRACE_S):
        raise UsageError(f"grace_s must be between 0 and {LONGEST_GRACE_S:.0f}, not {grace_s}.")
    return grace_s


async def until_end(home: Home, folder: ContainerFolder, *, grace_s: float | None) -> ExitRecord:
    """Return the exit record; ask for the end first if there is a grace.

    Raises DockerUnreachableError when Docker has been silent for too long.
    """
    ending, patience = Ending(grace_s), Patience(home.patience_s)
    while (record := folder.exit()) is None:
        if not folder.exists:
            raise EnvironmentFault(f"The folder {folder.path} was removed while it was in use.")
        if ending.is_wanted:
            folder.note_stop()
        try:
            async with home.docker.connect() as engine:
                seen = await home.find(engine, folder.instance)
                patience.well()
                if seen and seen.is_alive:
                    await ending.push(engine, seen)
                elif not await settle(home, engine, folder):
                    await asyncio.sleep(LOOK_AGAIN_S)
        except DockerUnreachableError as error:
            await patience.bear(error)
    return record


async def settle(home: Home, engine: Engine, folder: ContainerFolder) -> bool:
    """Record the end and remove the container; False when somebody else is at it.

    Nothing happens to a container that lives: it was started while we were looking away.
    """
    with folder.lock() as lock:
        if lock is None:
            return False
        seen = await home.find(engine, folder.instance)
        if seen and seen.is_alive:
            return True
        if not folder.has_exit:
            await _record_end(engine, folder, seen)
        if seen:
            await engine.remove(seen.id)
    return True


async def _record_end(engine: Engine, folder: ContainerFolder, seen: Seen | None) -> None:
    if seen:
        await _nothing_left(seen)
    length = await save_log(engine, seen, folder)
    record = record_of(
        seen, asked_at=folder.asked_at, last_lines=folder.last_lines(), now=time.time()
    )
    folder.write_exit(record, length)


async def _nothing_left(seen: Seen) -> None:
    """Be sure: Docker's word is one thing, the kernel's another."""
    began = time.monotonic()
    while left := in_container(seen.id):
        if time.monotonic() - began > GIVE_UP_S:
            raise EnvironmentFault(f"Processes of {seen.name} cannot be ended: {left}.")
        await asyncio.sleep(LOOK_AGAIN_S)


async def adopt(home: Home, engine: Engine, folder: ContainerFolder) -> Running | None:
    """Find out what lives here. What should not live is ended; what has ended is recorded.

    Raises DockerUnreachableError alone: trouble with one instance must not hide the others.
    """
    try:
        return await _look(home, engine, folder)
    except DockerUnreachableError:
        raise
    except EnvironmentFault as error:
        log.warning("%s: cannot tell what runs here: %s", folder.path, error)
        return None


async def _look(home: Home, engine: Engine, folder: ContainerFolder) -> Running | None:
    began = time.monotonic()
    while not folder.has_exit and time.monotonic() - began < GIVE_UP_S:
        seen = await home.find(engine, folder.instance)
        if folder.is_abandoned:
            await abandon(home, folder)
            return None
        if seen and seen.is_alive:
            return running_of(folder, seen)
        if not await settle(home, engine, folder):
            await asyncio.sleep(LOOK_AGAIN_S)  # it is starting, or another driver settles it
    return None


def running_of(folder: ContainerFolder, seen: Seen) -> Running | None:
    """Describe a live container; None when its folder does not say what it is."""
    spec = folder.spec()
    if spec is None:
        log.warning("%s is damaged: the container %s is not known", folder.path, seen.name)
        return None
    pid, ticks = (engine_of(seen.pid) if seen.pid else None) or (None, None)
    return Running(spec, pid, ticks, seen.started_at or 0.0)


async def abandon(home: Home, folder: ContainerFolder) -> None:
    """Undo a start that failed or was cancelled: nothing of it is left, the folder neither.

    Where Docker does not answer, a mark in the folder makes the next one who looks finish it.
    """
    folder.note_stop(abandoned=True)
    hasty = replace(home, patience_s=SHORT_PATIENCE_S)
    try:
        async with asyncio.timeout(GIVE_UP_S):
            await until_end(hasty, folder, grace_s=0.0)
    except (EnvironmentFault, TimeoutError) as error:
        log.warning("%s: a failed start is not undone yet: %s", folder.path, error or "no answer")
    else:
        folder.remove()
