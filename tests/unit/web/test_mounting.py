"""The dashboard on the real gateway's application: neither is in the other's way."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, CookieJar, web
from tests.unit.web.browsing import Visitor
from tests.unit.web.fake_site import Site

from sparkwell.gateway.pages import Pages
from sparkwell.web.access import Access
from sparkwell.web.dashboard import PREFIX, dashboard


class NoModels:
    """A backend that has none."""

    def listed(self) -> list[object]:
        return []

    def health(self) -> tuple[bool, dict[str, object]]:
        return True, {"state": "idle"}


@pytest.fixture
async def visitor() -> AsyncIterator[Visitor]:
    site = Site()
    app = Pages(NoModels()).application()  # type: ignore[arg-type]
    access = Access(site.keys, site.links, site.sessions)
    app.add_subapp(PREFIX, dashboard(site.services, access))
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:
        yield Visitor(site, client)
    await runner.cleanup()


async def test_errors_are_pages_there_and_envelopes_elsewhere(visitor: Visitor) -> None:
    await visitor.sign_in()
    status, _, answer = await visitor.get("/ui/nothing")
    assert (status, answer.content_type) == (404, "text/html")
    assert "Content-Security-Policy" in answer.headers
    status, _, answer = await visitor.get("/v1/nothing")
    assert (status, answer.content_type) == (404, "application/json")
    assert "Content-Security-Policy" not in answer.headers
    assert (await visitor.get("/health"))[0] == 200


async def test_without_the_slash(visitor: Visitor) -> None:
    await visitor.sign_in()
    status, _, answer = await visitor.get("/ui")
    assert status == 200
    assert answer.url.path == "/ui/"


async def test_a_wrong_method_is_a_page(visitor: Visitor) -> None:
    await visitor.sign_in()
    status, _, answer = await visitor.post("/ui/events", htmx=False)
    assert (status, answer.content_type) == (405, "text/html")
