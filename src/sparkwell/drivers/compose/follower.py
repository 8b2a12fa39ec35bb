"""Lines of a container's output as they come: from Docker while it lives, then from its folder.

Docker hands a line on when it ends, or after 16 KiB. So a progress bar that moves by carriage
returns alone arrives when it is over; rendering.py sees to those of tqdm.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from itertools import chain

from sparkwell.drivers.compose.api import Engine
from sparkwell.drivers.compose.faults import DockerUnreachableError
from sparkwell.drivers.compose.folder import ContainerFolder
from sparkwell.drivers.compose.frames import Frames, Message, Position, runs
from sparkwell.drivers.compose.lifetime import LOOK_AGAIN_S, Home, Patience, settle
from sparkwell.drivers.compose.seen import Seen
from sparkwell.drivers.process.follower import GAP, LineSplitter, LogReader, read_now

_GAP_LINE = GAP.decode().rstrip("\n")


class _Lines:
    """Lines of text from messages, or from bytes of the saved log; each stream for itself."""

    def __init__(self) -> None:
        self._splitters = {1: LineSplitter(), 2: LineSplitter()}

    def of(self, messages: list[Message]) -> Iterator[str]:
        """Yield the lines that the messages complete."""
        for stream, data in runs(messages):
            yield from self._splitters.setdefault(stream, LineSplitter()).feed(data)

    def saved(self, data: bytes) -> list[str]:
        """Return the lines that a piece of the saved log completes."""
        return self._splitters[1].feed(data)

    def close(self) -> Iterator[str]:
        """Yield what is left: last lines without an end."""
        for splitter in self._splitters.values():
            yield from splitter.close()


async def follow(
    home: Home, folder: ContainerFolder, position: Position
) -> AsyncGenerator[str, None]:
    """Yield lines from ``position`` on until the instance has ended and all was read.

    A connection that breaks is made again, and nothing is said twice. Raises
    DockerUnreachableError when Docker has been silent for too long.
    """
    lines, patience = _Lines(), Patience(home.patience_s)
    while not folder.has_exit and folder.exists:
        try:
            async with home.docker.connect() as engine:
                seen = await home.find(engine, folder.instance)
                patience.well()
                async with aclosing(_docker(engine, seen, position, lines)) as said:
                    async for line in said:
                        yield line
                if not (seen and seen.is_alive) and not await settle(home, engine, folder):
                    await asyncio.sleep(LOOK_AGAIN_S)  # it starts, or somebody else settles it
        except DockerUnreachableError as error:
            await patience.bear(error)
    for line in chain(_saved(folder, position, lines), lines.close()):
        yield line


async def written(home: Home, folder: ContainerFolder) -> tuple[list[str], list[str]]:
    """Read the lines so far, and last ones without an end.

    Raises DockerUnreachableError when the instance lives and Docker does not answer.
    """
    if not folder.has_exit:
        async with home.docker.connect() as engine:
            seen = await home.find(engine, folder.instance)
            if seen and not folder.has_exit:
                return await _so_far(engine, seen)
    return read_now(folder.log)


async def _so_far(engine: Engine, seen: Seen) -> tuple[list[str], list[str]]:
    frames, lines, found = Frames(stamped=False), _Lines(), list[str]()
    async with aclosing(engine.log(seen.id, stamped=False)) as pieces:
        async for piece in pieces:
            found.extend(lines.of(frames.feed(piece)))
    return found, list(lines.close())


async def _docker(
    engine: Engine, seen: Seen | None, position: Position, lines: _Lines
) -> AsyncGenerator[str, None]:
    """Yield what Docker has to say from ``position`` on, live while the container lives.

    The log of an ended one is read after it was saved: it may be removed while it is read. Only
    who began in the middle reads it here, for the saved log does not tell where that was.
    """
    if seen is None or not (seen.is_alive or position.began_late):
        return
    frames, skip = Frames(stamped=True), position.resume()
    pieces = engine.log(seen.id, since=position.since, follow=seen.is_alive, stamped=True)
    async with aclosing(pieces) as answer:
        async for piece in answer:
            messages = skip.new(frames.feed(piece))
            if skip.gap:
                skip.gap = False
                yield _GAP_LINE
            position.read(messages)
            for line in lines.of(messages):
                yield line


def _saved(folder: ContainerFolder, position: Position, lines: _Lines) -> Iterator[str]:
    """Yield the rest from engine.log."""
    reader = LogReader(folder.log, from_start=not position.began_late)
    try:
        skip = 0 if position.began_late else _read_before(folder, position)
        for data in iter(reader.read, b""):
            yield from lines.saved(data[skip:])
            skip = max(skip - len(data), 0)
    finally:
        reader.close()


def _read_before(folder: ContainerFolder, position: Position) -> int:
    """How many bytes of the saved log were read before; its oldest may have been dropped."""
    parts = folder.path.glob(f"{folder.log.name}*")
    kept = sum(part.stat().st_size for part in parts)
    dropped = max((folder.log_bytes() or kept) - kept, 0)
    return max(position.bytes_read - dropped, 0)
