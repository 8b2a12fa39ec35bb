"""Asking the engines for their pages of metrics: all at once, each for a moment only."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp

from sparkwell.core.launch import Endpoint
from sparkwell.core.units import MIB
from sparkwell.monitor.exposition_page import EnginePage

TIMEOUT_S = 2.0
LARGEST_BYTES = MIB
KEPT_S = 1.0
"""Who asks again within this time gets what was had before: no engine is asked by every scraper."""


@dataclass(frozen=True, slots=True)
class PageTarget:
    """A ready engine that has metrics, and where it answers."""

    model: str
    endpoint: Endpoint


class EnginePages:
    """The pages of the engines that are ready.

    ``targets`` says which those are now, one for each model. Belongs to one event loop.
    """

    def __init__(
        self,
        targets: Callable[[], Sequence[PageTarget]],
        *,
        timeout_s: float = TIMEOUT_S,
        kept_s: float = KEPT_S,
    ) -> None:
        self._targets = targets
        self._timeout_s = timeout_s
        self._kept_s = kept_s
        self._had: dict[PageTarget, EnginePage] = {}
        self._had_at: float | None = None
        self._asking = asyncio.Lock()

    async def now(self) -> list[EnginePage]:
        """A page for each target, without text where it did not answer in time, or not well.

        Takes no longer than ``timeout_s`` and never raises. Of several that ask at once one asks
        the engines.
        """
        async with self._asking:
            targets = list(dict.fromkeys(self._targets()))
            clock = asyncio.get_running_loop().time
            if self._had_at is None or clock() - self._had_at >= self._kept_s:
                self._had.clear()
            unknown = [each for each in targets if each not in self._had]
            if unknown:
                pages = await asyncio.gather(*(self._ask(each) for each in unknown))
                self._had_at = self._had_at if self._had else clock()
                self._had.update(zip(unknown, pages, strict=True))
            return [self._had[each] for each in targets]

    async def _ask(self, target: PageTarget) -> EnginePage:
        try:
            async with asyncio.timeout(self._timeout_s):
                return EnginePage(target.model, await _read(target.endpoint))
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
            return EnginePage(target.model, None)


async def _read(endpoint: Endpoint) -> str | None:
    """The page; None for an error, and for a page that is too large."""
    connector = aiohttp.UnixConnector(endpoint.uds) if endpoint.uds else aiohttp.TCPConnector()
    async with (
        aiohttp.ClientSession(connector=connector) as client,
        client.get(endpoint.url("/metrics"), allow_redirects=False) as answer,
    ):
        if answer.status != 200:
            return None
        read = bytearray()
        async for piece in answer.content.iter_any():
            read += piece
            if len(read) > LARGEST_BYTES:
                return None
        return read.decode("utf-8", "replace")
