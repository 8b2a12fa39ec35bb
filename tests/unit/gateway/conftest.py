"""The gateway in process: a backend that a test fills, and real little engines on sockets."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from sparkwell.core.errors import NotReadyError, UnknownModelError
from sparkwell.core.launch import Endpoint
from sparkwell.gateway.app import Gateway
from sparkwell.gateway.backend import Model

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Client = TestClient[web.Request, web.Application]
MAX_BODY = 32 * 10**6
READY = Model("qwen3-8b-fp8", ("qwen3-8b-fp8", "Qwen/Qwen3-8B-FP8"), "ready", 32768)
STOPPED = Model("demo-qwen3", ("demo-qwen3",), "stopped", None)


@dataclass
class FakeLease:
    endpoint: Endpoint
    release: Callable[[], None]


@dataclass
class FakeBackend:
    """Two models; the first is ready at ``endpoint``. ``leases`` are those that are out."""

    endpoint: Endpoint
    models: list[Model] = field(default_factory=lambda: [READY, STOPPED])
    able: bool = True
    state: Mapping[str, object] = field(
        default_factory=lambda: {"state": "ready", "model": READY.name}
    )
    leases: int = 0
    granted: int = 0

    def resolve(self, name: str) -> Model:
        for model in self.models:
            if name.lower() in [alias.lower() for alias in model.aliases]:
                return model
        names = ", ".join(model.name for model in self.models)
        raise UnknownModelError(f"There is no model {name!r}.", hint=f"There are: {names}.")

    def listed(self) -> list[Model]:
        return self.models

    def ensure_ready(self, model: str) -> FakeLease:
        if self.resolve(model).state != "ready":
            hint = f"Run `sparkwell up {model}`."
            raise NotReadyError(f"The model {model} is not loaded.", hint=hint)
        self.leases += 1
        self.granted += 1
        return FakeLease(self.endpoint, self._release)

    def health(self) -> tuple[bool, Mapping[str, object]]:
        return self.able, self.state

    def _release(self) -> None:
        self.leases -= 1


@dataclass
class Asked:
    """One request as the engine got it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> object:
        return json.loads(self.body)


class Engine:
    """An engine of a few lines; ``handler`` answers, everything asked is kept."""

    def __init__(self, path: str) -> None:
        self.endpoint = Endpoint(uds=path)
        self.asked: list[Asked] = []
        self.cancelled = asyncio.Event()
        self.handler: Handler = self._echo

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.asked.append(Asked(request.method, request.path_qs, request.headers, body))
        try:
            return await self.handler(request)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def _echo(self, _request: web.Request) -> web.Response:
        return web.json_response({"object": "chat.completion"})


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a path short enough for sockets; pytest's own is too long."""
    with tempfile.TemporaryDirectory(prefix="sw") as folder:
        yield Path(folder)


@pytest.fixture
async def engine(short: Path) -> AsyncIterator[Engine]:
    engine = Engine(str(short / "e.sock"))
    app = web.Application(client_max_size=2 * MAX_BODY)
    app.router.add_route("*", "/{path:.*}", engine.answer)
    runner = web.AppRunner(
        app, handler_cancellation=True, auto_decompress=False, shutdown_timeout=0.0
    )
    await runner.setup()
    await web.UnixSite(runner, str(short / "e.sock")).start()
    yield engine
    await runner.cleanup()


@pytest.fixture
async def backend(engine: Engine) -> AsyncIterator[FakeBackend]:
    """Whatever a test does: at its end no lease is out."""
    backend = FakeBackend(engine.endpoint)
    yield backend
    async with asyncio.timeout(5):
        while backend.leases:
            await asyncio.sleep(0)


@pytest.fixture
async def client(backend: FakeBackend) -> AsyncIterator[Client]:
    """A client of the gateway, which cancels abandoned requests as the daemon's does."""
    server = TestServer(Gateway(backend, MAX_BODY).application(), shutdown_timeout=0.0)
    async with TestClient(server) as client:
        yield client
