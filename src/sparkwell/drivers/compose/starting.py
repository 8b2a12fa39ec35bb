"""Starts a container: what could be in the way is looked at first, then `docker compose up`."""

import asyncio
import os
import re
import time
from pathlib import Path

from sparkwell.core.errors import ConflictError, EnvironmentFault
from sparkwell.core.launch import Container, LaunchSpec, Mount, Running
from sparkwell.drivers.compose.api import Engine
from sparkwell.drivers.compose.command import run, up_command
from sparkwell.drivers.compose.faults import no_image
from sparkwell.drivers.compose.folder import ContainerFolder
from sparkwell.drivers.compose.frames import Frames
from sparkwell.drivers.compose.lifetime import Home, running_of, settle
from sparkwell.drivers.compose.rendering import container_of
from sparkwell.drivers.compose.seen import HOME, Seen

UP_S = 120.0  # the image is here: making a container takes half a second
LAST_CHANCE_S = 20.0  # half a start is harder to undo than a whole one
EXECUTED_S = 2.0  # docker-init executes the engine within milliseconds
_LOOK_AGAIN_S = 0.005
_NOT_EXECUTED = re.compile(rb"\[FATAL tini \(\d+\)\] exec (.+) failed: (.+)\n")


async def clear_the_way(home: Home, spec: LaunchSpec) -> None:
    """See that nothing is in the way; raises ConflictError or EnvironmentFault that says what."""
    container = container_of(spec)
    for mount in container.mounts:
        _check_mount(mount)
    async with home.docker.connect() as engine:
        await _free_name(home, engine, container)
        if await engine.image(container.image) is None:
            raise no_image(container.image)


async def bring_up(
    home: Home, folder: ContainerFolder, spec: LaunchSpec, project: str, lock: int
) -> Running:
    """Run `docker compose up` and return once the engine has been executed."""
    await run(
        up_command(folder.compose, project, container_of(spec).name),
        home.docker.environ,
        doing=f"The container of {spec.model} cannot be started",
        timeout_s=UP_S,
        last_chance_s=LAST_CHANCE_S,
        keep=(lock,),
    )
    async with home.docker.connect() as engine:
        return await _began(home, engine, folder, spec)


def _check_mount(mount: Mount) -> None:
    """Docker would make a missing folder, as root, and the engine would find it empty."""
    if not mount.source.startswith("/"):
        return
    source = Path(mount.source)
    try:
        status = os.statvfs(source)
    except OSError as error:
        raise EnvironmentFault(
            f"{source}, which the container needs as {mount.target}, cannot be used: "
            f"{error.strerror}.",
            hint=f"`mkdir -p {source}`, or correct its place in the settings.",
        ) from None
    if not mount.read_only and status.f_flag & os.ST_RDONLY:
        raise EnvironmentFault(
            f"{source}, which the container writes to, is on a disk that is mounted read-only.",
            hint="Mount it for writing, or set another folder.",
        )


async def _free_name(home: Home, engine: Engine, container: Container) -> None:
    """See that the container's name is free; an ended one of ours gives it up."""
    seen = await engine.named(container.name)
    if seen is None:
        return
    if seen.instance is None or seen.labels.get(HOME) != str(home.root):
        raise _taken(seen)
    if seen.is_alive:
        raise ConflictError(
            f"The container {seen.name} already runs, as instance {seen.instance}.",
            hint=f"`sparkwell down`; where Sparkwell does not know it: `docker rm -f {seen.name}`.",
        )
    folder = ContainerFolder(home.root / seen.instance)
    if not folder.exists:
        await engine.remove(seen.id)
    elif not await settle(home, engine, folder):
        raise ConflictError(f"The container {seen.name} is being started or removed right now.")


def _taken(seen: Seen) -> ConflictError:
    whose = "not Sparkwell's"
    if seen.instance is not None:
        whose = f"another Sparkwell's, whose state is in {seen.labels.get(HOME)}"
    elif seen.project:
        whose = f"of the Compose project {seen.project}"
    remedy = "Stop it first: `docker stop {0}`, then `docker rm {0}`."
    return ConflictError(
        f"The name {seen.name} is taken by a container that is {whose} "
        f"(image {seen.image}, {seen.status}).",
        hint=remedy.format(seen.name) if seen.is_alive else f"Remove it: `docker rm {seen.name}`.",
    )


async def _began(home: Home, engine: Engine, folder: ContainerFolder, spec: LaunchSpec) -> Running:
    """Describe the engine once it has been executed, or has ended since."""
    until = time.monotonic() + EXECUTED_S
    while True:
        seen = await home.find(engine, spec.instance)
        if seen is None:
            raise ConflictError(
                f"The container {container_of(spec).name} is not this start's: another start "
                "made it, or somebody removed it at once."
            )
        running = running_of(folder, seen)
        if running is None:
            raise EnvironmentFault(f"{folder.path} was damaged while the engine started.")
        if not seen.is_alive:
            await _check_executed(engine, seen, spec)
            return running
        if running.pid is not None or time.monotonic() > until:
            return running
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _check_executed(engine: Engine, seen: Seen, spec: LaunchSpec) -> None:
    """Raise EnvironmentFault when docker-init could not execute the engine."""
    frames = Frames(stamped=False)
    text = b""
    async for piece in engine.log(seen.id, stamped=False):
        text += b"".join(message.data for message in frames.feed(piece))
        if len(text) > 65536:
            return
    if found := _NOT_EXECUTED.search(text):
        what, reason = (group.decode("utf-8", "replace") for group in found.groups())
        raise EnvironmentFault(
            f"The engine of {spec.model} cannot be started: {what}: {reason}.",
            hint=f"The command was: {' '.join(spec.argv)}",
        )
