"""The site as the daemon has it: behind the gateway's own server, on a socket, with real keys."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from aiohttp import web
from tests.unit.gateway.conftest import READY, Engine, FakeBackend
from tests.unit.web.fake_site import Site
from tests.unit.web.fake_status import NEMO

from sparkwell.app.keys.own_key import OwnKey
from sparkwell.core.keys import Key
from sparkwell.core.launch import Endpoint
from sparkwell.gateway.access import Door, Rules
from sparkwell.gateway.keys.book import Book
from sparkwell.gateway.keys.making import digest_of, hint_of, make_secret
from sparkwell.gateway.keys.tally import Tally
from sparkwell.gateway.keys.turnstile import LimitingTurnstile
from sparkwell.gateway.pages import Pages
from sparkwell.gateway.server import GatewayServer
from sparkwell.web.access import Access
from sparkwell.web.dashboard import PREFIX, dashboard


@dataclass
class Guarded:
    """A site whose models nobody may ask without a key. ``tally`` counts who did."""

    site: Site
    book: Book
    tally: Tally
    engine: Engine


@asynccontextmanager
async def guarded(site: Site) -> AsyncIterator[Guarded]:
    """The site on a loopback port, with one key that somebody else has."""
    book, tally = Book(), Tally()
    site.services.client_keys.own = OwnKey(book).secret()
    book.use([somebodys()], "some")
    with tempfile.TemporaryDirectory(prefix="sw") as name:
        folder = Path(name)
        engine = Engine(str(folder / "e.sock"))
        engine.handler = site.engine
        asked = web.Application()
        asked.router.add_route("*", "/{path:.*}", engine.answer)
        backend = FakeBackend(engine.endpoint, [replace(READY, name=NEMO, aliases=(NEMO,))])
        pages = Pages(backend).application()
        access = Access(site.keys, site.links, site.sessions)
        pages.add_subapp(PREFIX, dashboard(site.services, access, throttle=site.throttle))
        runners = [
            web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.0)
            for app in (asked, pages)
        ]
        server = GatewayServer(
            backend,
            door=Door(book, Rules()),
            turnstile=LimitingTurnstile(tally),
            pages=Endpoint(uds=str(folder / "p.sock")),
        )
        for runner, socket in zip(runners, ("e.sock", "p.sock"), strict=True):
            await runner.setup()
            await web.UnixSite(runner, str(folder / socket)).start()
        site.base = f"http://127.0.0.1:{await server.listen('127.0.0.1', 0)}"
        try:
            yield Guarded(site, book, tally, engine)
        finally:
            await server.close(0.0)
            for runner in runners:
                await runner.cleanup()


def somebodys() -> Key:
    """A key that no test knows the secret of."""
    secret = make_secret()
    return Key("key-1", "somebody", digest_of(secret), hint_of(secret), 0.0)
