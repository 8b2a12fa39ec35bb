"""A gateway whose backend and turnstile are asked over a socket, and all that it is made of."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from tests.unit.gateway.conftest import QUICK, Around, Client, FakeBackend

from sparkwell.core.keys import Key
from sparkwell.core.launch import Endpoint
from sparkwell.gateway.access import Door
from sparkwell.gateway.keys.seam import Standing
from sparkwell.gateway.pages import Pages
from sparkwell.gateway.remote.backend import Remote
from sparkwell.gateway.remote.hub import Hub
from sparkwell.gateway.remote.messages import Models, Opening, Place
from sparkwell.gateway.server import GatewayServer


class FakeKeys:
    """The keys of a FakeBook, as they are when they are asked for."""

    def __init__(self, around: Around) -> None:
        self.around = around
        self.changed: list[Callable[[], object]] = []

    @property
    def standing(self) -> Standing:
        return self.around.book.standing

    def every(self) -> tuple[Key, ...]:
        return tuple(self.around.book.keys.values())

    def tell(self, changed: Callable[[], object]) -> Callable[[], None]:
        self.changed.append(changed)
        return lambda: self.changed.remove(changed)


class FakeKnown:
    """The models of a FakeBackend."""

    def __init__(self, backend: FakeBackend) -> None:
        self.backend = backend

    def mark(self) -> object:
        return tuple(self.backend.models), self.backend.endpoint

    def all(self) -> Models:
        loaded = tuple(Place(name, at.uds, at.port) for name, at in self.backend.loaded())
        models = tuple(self.backend.models)
        names = tuple(each.name for each in self.backend.listed())
        return Models(models, loaded, models[0].name if models else None, None, names)

    async def changed(self) -> None:
        await asyncio.sleep(0.001)


@dataclass
class Daemon:
    """The daemon's end, on a socket."""

    hub: Hub
    path: Path


def opening_of(around: Around, folder: Path) -> Opening:
    return Opening(
        "127.0.0.1",
        0,
        None,
        str(folder / "pages.sock"),
        around.rules,
        around.limits,
        around.pace,
        "off",
        5.0,
    )


@asynccontextmanager
async def daemon_of(backend: FakeBackend, around: Around, folder: Path) -> AsyncIterator[Daemon]:
    opening = opening_of(around, folder)
    known = FakeKnown(backend)
    wrong = around.wrong.append
    hub = Hub(backend, around.turnstile, FakeKeys(around), known, opening, wrong_key=wrong)
    path = folder / "gateway.sock"
    await hub.listen(path)
    yield Daemon(hub, path)
    await hub.close()


@asynccontextmanager
async def served(backend: FakeBackend, around: Around, folder: Path) -> AsyncIterator[Client]:
    """As the fixture of the gateway in one process, and a socket between it and its backend."""
    path = str(folder / "pages.sock")
    runner = web.AppRunner(
        Pages(backend).application(), handler_cancellation=True, shutdown_timeout=0.0
    )
    await runner.setup()
    await web.UnixSite(runner, path).start()
    async with daemon_of(backend, around, folder) as daemon:
        daemon.hub.key_of = lambda key_id: next(  # type: ignore[method-assign]
            (key for key in around.book.keys.values() if key.id == key_id), None
        )
        remote = Remote()
        await remote.connect(str(daemon.path))
        server = GatewayServer(
            remote,
            door=Door(around.book, around.rules),
            turnstile=remote,
            pages=Endpoint(uds=path),
            limits=around.limits,
            pace=around.pace,
            wrong_key=remote.wrong_key,
        )
        port = await server.listen("127.0.0.1", 0, shared=True)
        async with aiohttp.ClientSession() as session:
            yield Client(port, session, server)
        await server.close(0.0)
        await remote.close()
    await runner.cleanup()


@pytest.fixture
async def client(backend: FakeBackend, around: Around, short: Path) -> AsyncIterator[Client]:
    async with served(backend, around, short) as client:
        yield client


@pytest.fixture
async def hasty(backend: FakeBackend, around: Around, short: Path) -> AsyncIterator[Client]:
    around.pace = replace(QUICK, hold_headers_s=0.02)
    async with served(backend, around, short) as client:
        yield client


@pytest.fixture
async def daemon(backend: FakeBackend, around: Around, short: Path) -> AsyncIterator[Daemon]:
    async with daemon_of(backend, around, short) as daemon:
        yield daemon


@pytest.fixture
async def remote(daemon: Daemon) -> AsyncIterator[Remote]:
    """A worker's end that is connected."""
    remote = Remote()
    await remote.connect(str(daemon.path))
    yield remote
    await remote.close()
