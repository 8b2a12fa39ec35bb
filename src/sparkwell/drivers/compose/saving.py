"""Saves an ended container's log from Docker into its folder, before the container is removed."""

from contextlib import aclosing

from sparkwell.drivers.compose.api import Engine
from sparkwell.drivers.compose.folder import ContainerFolder
from sparkwell.drivers.compose.frames import Frames
from sparkwell.drivers.compose.seen import Seen
from sparkwell.drivers.process.shim.logfile import RotatingLog

LOG_BYTES = 16 * 1024 * 1024
LOG_FILES = 3
OUT_OF_MEMORY = b"[sparkwell: the kernel ended a process of this container: out of memory]\n"


async def save_log(engine: Engine, seen: Seen | None, folder: ContainerFolder) -> int:
    """Write engine.log, older parts in .1 to .3; returns how many bytes there were in all."""
    folder.clear_log()
    if seen is None:
        return 0
    log = RotatingLog(str(folder.path), LOG_BYTES, LOG_FILES)
    try:
        length = await _copy(engine, seen, log)
        if seen.oom_killed:
            log.write(OUT_OF_MEMORY)
            length += len(OUT_OF_MEMORY)
    finally:
        log.close()
    return length


async def _copy(engine: Engine, seen: Seen, log: RotatingLog) -> int:
    frames, length = Frames(stamped=False), 0
    async with aclosing(engine.log(seen.id, stamped=False)) as pieces:
        async for piece in pieces:
            data = b"".join(message.data for message in frames.feed(piece))
            log.write(data)
            length += len(data)
    return length
