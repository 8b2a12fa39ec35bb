"""A site over fakes, and a client that has signed in."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, CookieJar
from tests.unit.web.browsing import Visitor
from tests.unit.web.fake_site import Site, served


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with served(Site()) as site:
        yield site


@pytest.fixture
async def stranger(site: Site) -> AsyncIterator[Visitor]:
    """Who has no session."""
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:
        yield Visitor(site, client)


@pytest.fixture
async def visitor(stranger: Visitor) -> Visitor:
    """Who has signed in by a link."""
    await stranger.sign_in()
    return stranger
