"""A quick stream made slow enough for a browser: batches at a steady pace, the rest counted."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Batch(Generic[T]):
    """What came since the last batch: the newest items, and how many before them were left out."""

    items: tuple[T, ...]
    left_out: int = 0


async def batches(
    source: AsyncIterator[Sequence[T]], every_s: float, most: int
) -> AsyncIterator[Batch[T]]:
    """Batches of at most ``most`` items, one each ``every_s``; empty ones too, as a sign of life.

    The source is read as fast as it comes, so that nobody upstream waits for a slow browser.
    Ends when the source ends.
    """
    waiting: deque[T] = deque(maxlen=most)
    came = 0

    async def read() -> None:
        nonlocal came
        async for items in source:
            came += len(items)
            waiting.extend(items)

    reader = asyncio.ensure_future(read())
    try:
        while True:
            await asyncio.wait([reader], timeout=every_s)
            ended = reader.done()
            yield Batch(tuple(waiting), came - len(waiting))
            waiting.clear()
            came = 0
            if ended:
                reader.result()
                return
    finally:
        reader.cancel()
