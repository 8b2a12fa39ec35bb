"""The dashboard where it really is: behind the gateway's server, which says who asks."""

import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, CookieJar
from tests.unit.web.behind_gateway import Guarded, guarded
from tests.unit.web.browsing import Visitor
from tests.unit.web.fake_site import KEY, Site
from tests.unit.web.fake_status import NEMO

from sparkwell.app.keys.own_key import NAME
from sparkwell.web.throttle import Throttle

ASKED = {"model": NEMO, "messages": [{"role": "user", "content": "Hello?"}], "stream": True}


@pytest.fixture
async def behind() -> AsyncIterator[Guarded]:
    async with guarded(Site(token_s=0.0)) as behind:
        yield behind


@pytest.fixture
async def visitor(behind: Guarded) -> AsyncIterator[Visitor]:
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:
        yield Visitor(behind.site, client)


async def test_a_session_asks_with_the_own_key_and_without_it_nobody(
    behind: Guarded, visitor: Visitor
) -> None:
    await visitor.sign_in()
    url = f"{behind.site.base}/v1/chat/completions"
    async with visitor.client.post(url, json=ASKED) as refused:
        assert refused.status == 401
    _, text, _ = await visitor.post("/ui/playground/key")
    headers = {"Authorization": f"Bearer {json.loads(text)['key']}"}
    async with visitor.client.post(url, json=ASKED, headers=headers) as answer:
        assert answer.status == 200
        assert "Hello" in await answer.text()
    assert "Authorization" not in behind.engine.asked[0].headers
    ((key, model), used) = next(iter(behind.tally.totals()))
    assert (key, model, used.requests) == (NAME, NEMO, 1)


async def test_what_a_client_says_of_itself_is_not_believed(
    behind: Guarded, visitor: Visitor
) -> None:
    """Neither another address for each guess, nor https."""
    slept = []

    async def no_wait(seconds: float) -> None:
        slept.append(seconds)

    behind.site.throttle._clock, behind.site.throttle._sleep = lambda: 0.0, no_wait
    for number in range(4):
        headers = {"x-sparkwell-peer": f"10.0.0.{number}"}
        status, _, _ = await visitor.post("/ui/login", {"key": "wrong"}, headers, htmx=False)
        assert status == 403
    assert slept
    headers = {"x-sparkwell-scheme": "https"}
    _, _, answer = await visitor.post("/ui/login", {"key": KEY}, headers, htmx=False)
    assert "Secure" not in answer.headers["Set-Cookie"]
    assert isinstance(behind.site.throttle, Throttle)


async def test_a_button_that_a_script_presses_works(behind: Guarded, visitor: Visitor) -> None:
    """What a page's script sends has its token in a header, which has to come through."""
    await visitor.sign_in()
    behind.site.services.switching = None
    assert (await visitor.post(f"/ui/models/{NEMO}/stop"))[0] == 200
    assert behind.site.services.acts == [("stop", NEMO)]


async def test_the_stream_of_a_page_comes_through(behind: Guarded, visitor: Visitor) -> None:
    await visitor.sign_in()
    async with visitor.stream("/ui/live?scope=overview") as events:
        name, _ = await anext(events)
    assert name in ("swap", "sample")
