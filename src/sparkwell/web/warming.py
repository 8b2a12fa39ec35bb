"""What the first page would have to wait for, done some seconds after the daemon's start."""

import asyncio
import logging
from collections.abc import AsyncGenerator

from aiohttp import web

from sparkwell.web.rendering import Renderer
from sparkwell.web.services import Services

logger = logging.getLogger(__name__)
AFTER_S = 5.0
"""By then a daemon has taken over what it found, and began what it was started for."""


class Warming:
    """Compiles the templates and has the catalog planned, once, in threads."""

    def __init__(self, services: Services, render: Renderer, after_s: float = AFTER_S) -> None:
        self._services = services
        self._render = render
        self._after_s = after_s

    async def while_it_runs(self, _app: web.Application) -> AsyncGenerator[None, None]:
        """For ``cleanup_ctx``: a daemon that ends before it has begun does nothing of it."""
        task = asyncio.create_task(self._warm())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _warm(self) -> None:
        await asyncio.sleep(self._after_s)
        try:
            await asyncio.to_thread(self._render.compile_all)
            await self._services.models()
        except Exception:  # the first page meets it again, and says it to somebody
            logger.exception("The dashboard could not be prepared")
