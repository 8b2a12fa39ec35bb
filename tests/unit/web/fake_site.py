"""A whole site over FakeServices: the dashboard, and a gateway that answers like an engine."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from tests.unit.web.fake_keys import OWN_SECRET
from tests.unit.web.fake_services import FakeServices

from sparkwell.web.access import Access, OneTimeLinks, Sessions, same
from sparkwell.web.dashboard import PREFIX, dashboard
from sparkwell.web.throttle import Throttle

KEY = "admin-key-for-tests"


@dataclass
class FakeKeys:
    """One admin key, or none."""

    key: str | None = KEY

    @property
    def exists(self) -> bool:
        return self.key is not None

    def check(self, key: str) -> bool:
        return self.key is not None and same(key, self.key)


@dataclass
class Site:
    """What a test of the dashboard works with."""

    services: FakeServices = field(default_factory=FakeServices)
    keys: FakeKeys = field(default_factory=FakeKeys)
    links: OneTimeLinks = field(default_factory=OneTimeLinks)
    sessions: Sessions = field(default_factory=Sessions)
    throttle: Throttle = field(default_factory=Throttle)
    answer: str = "Hello from the engine. " * 6
    token_s: float = 0.01
    asked: list[dict[str, object]] = field(default_factory=list)
    thought: str = ""
    broken_off: int = 0
    base: str = ""

    def application(self) -> web.Application:
        """The gateway's application with the dashboard mounted, as the daemon does it."""
        app = web.Application()
        access = Access(self.keys, self.links, self.sessions)
        app.add_subapp(PREFIX, dashboard(self.services, access, throttle=self.throttle))
        app.router.add_post("/v1/chat/completions", self._chat)
        return app

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {OWN_SECRET}":
            return web.json_response({"error": {"message": "A key is needed here."}}, status=401)
        return await self.engine(request)

    async def engine(self, request: web.Request) -> web.StreamResponse:
        """What an engine answers to a question."""
        body = await request.json()
        self.asked.append(body)
        if body["model"] == "demo-qwen3":
            error = {
                "message": "demo-qwen3 is not here: <b>no weights</b>",
                "code": "model_not_ready",
            }
            return web.json_response({"error": error}, status=503)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(f": sparkwell {body['model']}: loading weights, 45 %\n".encode())
        words = self.answer.split(" ")
        pieces = [("reasoning_content", self.thought)] if self.thought else []
        pieces += [("content", f"{word} ") for word in words]
        try:
            for name, text in pieces:
                await asyncio.sleep(self.token_s)
                await _chunk(response, {"choices": [{"delta": {name: text}}]})
        except (asyncio.CancelledError, ConnectionError):
            self.broken_off += 1
            raise
        await _chunk(response, {"choices": [{"delta": {}, "finish_reason": "stop"}]})
        await _chunk(response, {"choices": [], "usage": {"completion_tokens": len(words)}})
        await response.write(b"data: [DONE]\n\n")
        return response


async def _chunk(response: web.StreamResponse, chunk: dict[str, object]) -> None:
    await response.write(f"data: {json.dumps(chunk)}\n\n".encode())


@asynccontextmanager
async def served(site: Site, port: int = 0) -> AsyncIterator[Site]:
    """The site on a loopback port; ``base`` is its address."""
    runner = web.AppRunner(site.application(), handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    listening = web.TCPSite(runner, "127.0.0.1", port)
    await listening.start()
    found = runner.addresses[0][1]
    site.base = f"http://127.0.0.1:{found}"
    try:
        yield site
    finally:
        await runner.cleanup()
