"""An instance's log, line by line as it comes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

from sparkwell.drivers.process.follower import LineSplitter, LogReader

LOOK_S = 0.1


async def follow(
    file: Path, end: Callable[[], Coroutine[Any, Any, object]], *, from_start: bool
) -> AsyncIterator[str]:
    """Yield lines until ``end`` has returned and all that was said has been read."""
    reader, splitter = LogReader(file, from_start=from_start), LineSplitter()
    watching = asyncio.create_task(end())
    try:
        while True:
            ended = watching.done()  # asked before reading: what was said last is there by then
            while data := reader.read():
                for line in splitter.feed(data):
                    yield line
            if ended:
                return
            await asyncio.wait({watching}, timeout=LOOK_S)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        reader.close()
