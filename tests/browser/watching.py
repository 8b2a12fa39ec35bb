"""A browser's tab with what it complains of, and what it asks of others."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from playwright.async_api import Browser, ConsoleMessage, Page, Request
from tests.unit.web.fake_site import Site

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
GRAVE = ("serious", "critical")


@dataclass
class Tab:
    """A page, its console, and requests to other hosts."""

    page: Page
    site: Site
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def open(cls, browser: Browser, site: Site, **more: Any) -> AsyncIterator[Self]:
        context = await browser.new_context(**more)
        tab = cls(await context.new_page(), site)
        tab.page.on("console", tab._said)
        tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.page.on("dialog", lambda dialog: tab.complaints.append(f"dialog {dialog.message}"))
        tab.page.on("request", tab._asked)
        yield tab
        await context.close()

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.site.base, "data:", "blob:")):
            self.elsewhere.append(request.url)

    async def sign_in(self) -> None:
        await self.go(f"/ui/login?token={self.site.links.make()}")
        await self.page.wait_for_url(f"{self.site.base}/ui/")

    async def go(self, path: str) -> None:
        await self.page.goto(self.site.base + path)

    async def settled_width(self, wanted: int, within_s: float = 5.0) -> int:
        """How wide the page is, once it is no wider than wanted: a new viewport takes a while."""
        deadline = time.monotonic() + within_s
        while True:
            width = int(await self.page.evaluate("document.documentElement.scrollWidth"))
            if width <= wanted or time.monotonic() > deadline:
                return width
            await asyncio.sleep(0.05)

    async def grave(self) -> list[str]:
        """What axe finds serious or critical: its rule and the elements."""
        # Evaluated, not added as an element: the page's policy allows no script of others.
        await self.page.evaluate(AXE)
        result = await self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            f"{each['id']}: {[node['html'][:160] for node in each['nodes'][:4]]}"
            for each in result["violations"]
            if each["impact"] in GRAVE
        ]
