"""A browser without a screen: keeps cookies, knows the page's token, reads event streams."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientResponse, ClientSession
from tests.unit.web.fake_site import Site


@dataclass
class Visitor:
    """Somebody at the dashboard."""

    site: Site
    client: ClientSession
    token: str = ""

    async def sign_in(self) -> None:
        status, page, _ = await self.get(f"/ui/login?token={self.site.links.make()}")
        assert (status, 'url=/ui/"' in page) == (200, True)
        status, page, _ = await self.get("/ui/")
        assert status == 200
        found = re.search(r'name="_token" value="([^"]+)"', page)
        assert found
        self.token = found[1]

    async def get(self, path: str, **more: Any) -> tuple[int, str, ClientResponse]:
        async with self.client.get(self.site.base + path, **more) as answer:
            return answer.status, await answer.text(), answer

    async def post(
        self,
        path: str,
        data: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        *,
        htmx: bool = True,
    ) -> tuple[int, str, ClientResponse]:
        """As the page's script does it, or as a plain form."""
        sent = {"X-Csrf-Token": self.token, **({"HX-Request": "true"} if htmx else {})}
        sent |= headers or {}
        async with self.client.post(
            self.site.base + path, data=data, headers=sent, allow_redirects=False
        ) as answer:
            return answer.status, await answer.text(), answer

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
        """The events of a stream; it is closed when the block ends."""
        async with self.client.get(self.site.base + path) as answer:
            assert answer.status == 200
            yield _events(answer)


async def _events(answer: ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    name = ""
    async with asyncio.timeout(20):
        async for raw in answer.content:
            line = raw.decode().rstrip("\n")
            if line.startswith("event: "):
                name = line[7:]
            if line.startswith("data: "):
                yield name, json.loads(line[6:])
