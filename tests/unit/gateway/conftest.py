"""The gateway in process: a backend that a test fills, and real little engines on sockets."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop
from aiohttp import web

from sparkwell.checks.serving_repeats import Ends
from sparkwell.core.errors import NotReadyError, SparkwellError, UnknownModelError
from sparkwell.core.keys import Key
from sparkwell.core.launch import Endpoint
from sparkwell.gateway.access import Door, Rules
from sparkwell.gateway.backend import Model, Waiting
from sparkwell.gateway.comments import Pace
from sparkwell.gateway.keys.seam import Passage, Standing
from sparkwell.gateway.pages import Pages
from sparkwell.gateway.server import GatewayServer
from sparkwell.gateway.wire.limits import Limits

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MAX_BODY = 32 * 10**6
READY = Model("qwen3-8b-fp8", ("qwen3-8b-fp8", "Qwen/Qwen3-8B-FP8"), "ready", 32768)
STOPPED = Model("demo-qwen3", ("demo-qwen3",), "stopped", None)


# As the gateway's own, but a test need not wait for it.
QUICK = Pace(look_s=0.005, every_s=0.02, keep_alive_s=0.06, pauses_s=(0.001, 0.002, 0.004))


@dataclass
class FakeLease:
    endpoint: Endpoint
    release: Callable[[], None]
    model: str = READY.name
    instance: str = "qwen3-8b-fp8-1"
    queued_s: float = 0.0
    load_s: float = 0.0


class FakeTicket:
    """A place whose wait a test ends: with ``grant``, or with an error given to ``refuse``."""

    def __init__(self, lease: FakeLease | None, waiting: Waiting) -> None:
        self.lease = lease
        self.told = waiting
        self.asked = asyncio.Event()  # somebody waits
        self.looked_at = asyncio.Semaphore(0)  # once for each look at how far it is
        self.withdrawn = asyncio.Event()
        self._coming: asyncio.Future[FakeLease] = asyncio.get_running_loop().create_future()

    async def wait(self) -> FakeLease:
        self.asked.set()
        try:
            return await self._coming
        except asyncio.CancelledError:
            self.withdrawn.set()
            raise

    def waiting(self) -> Waiting:
        self.looked_at.release()
        return self.told

    def grant(self, lease: FakeLease) -> None:
        self._coming.set_result(lease)

    def refuse(self, error: SparkwellError) -> None:
        self._coming.set_exception(error)


@dataclass
class FakeBackend:
    """Two models; the first is ready at ``endpoint``. ``leases`` are those that are out.

    While ``holds`` is true nothing is: who asks gets a ticket to wait with, kept in ``tickets``.
    """

    endpoint: Endpoint
    models: list[Model] = field(default_factory=lambda: [READY, STOPPED])
    able: bool = True
    state: Mapping[str, object] = field(
        default_factory=lambda: {"state": "ready", "model": READY.name}
    )
    leases: int = 0
    granted: int = 0
    priorities: list[int] = field(default_factory=list)
    holds: bool = False
    heard_of: list[tuple[str, Ends | None]] = field(default_factory=list)
    metrics_page: bytes = b"sparkwell_switches_total 1.0\n"
    tickets: asyncio.Queue[FakeTicket] = field(default_factory=asyncio.Queue)

    def resolve(self, name: str) -> Model:
        for model in self.models:
            if name.lower() in [alias.lower() for alias in model.aliases]:
                return model
        names = ", ".join(model.name for model in self.models)
        raise UnknownModelError(f"There is no model {name!r}.", hint=f"There are: {names}.")

    def listed(self) -> list[Model]:
        return self.models

    def loaded(self) -> list[tuple[str, Endpoint]]:
        return [(m.name, self.endpoint) for m in self.models if m.state == "ready"]

    def ensure_ready(
        self, model: str, *, priority: int = 0, passage: Passage | None = None
    ) -> FakeTicket:
        self.priorities.append(priority)
        waiting = Waiting(model, "waiting for its turn")
        if self.holds:
            ticket = FakeTicket(None, waiting)
            self.tickets.put_nowait(ticket)
            return ticket
        if self.resolve(model).state != "ready":
            hint = f"Run `sparkwell up {model}`."
            raise NotReadyError(f"The model {model} is not loaded.", hint=hint)
        return FakeTicket(self.lease(), waiting)

    def lease(self, *, queued_s: float = 0.0, load_s: float = 0.0) -> FakeLease:
        self.leases += 1
        self.granted += 1
        return FakeLease(self.endpoint, self._release, queued_s=queued_s, load_s=load_s)

    async def ticket(self) -> FakeTicket:
        """The next ticket, when somebody waits with it."""
        ticket = await asyncio.wait_for(self.tickets.get(), 5)
        await asyncio.wait_for(ticket.asked.wait(), 5)
        return ticket

    def heard(self, model: str, ends: Ends | None) -> None:
        self.heard_of.append((model, ends))

    def health(self) -> tuple[bool, Mapping[str, object]]:
        return self.able, self.state

    async def metrics(self) -> bytes:
        return self.metrics_page

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


def pytest_asyncio_loop_factories(config: object, item: object) -> dict[str, object]:
    """The daemon's own loop."""
    return {"uvloop": uvloop.new_event_loop}


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


@dataclass
class FakeBook:
    """Keys by their secret; without any there has never been one."""

    keys: dict[str, Key] = field(default_factory=dict)
    broken: bool = False

    @property
    def standing(self) -> Standing:
        return "broken" if self.broken else "some" if self.keys else "none"

    def of(self, secret: str) -> Key | None:
        return self.keys.get(secret)


class FakePassage:
    def __init__(self, key: Key | None, model: str) -> None:
        self.key, self.model = key, model
        self.headers: dict[str, str] = {}
        self.left: list[tuple[int, int | None, int | None]] = []
        self.lost = 0

    def leave(self, status: int, prompt_tokens: int | None, output_tokens: int | None) -> None:
        self.left.append((status, prompt_tokens, output_tokens))

    def lose(self) -> None:
        self.lost += 1


@dataclass
class FakeTurnstile:
    """Lets all through; ``refusal`` nobody. Everybody who came is in ``passages``."""

    passages: list[FakePassage] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    refusal: SparkwellError | None = None

    def enter(self, key: Key | None, model: str) -> FakePassage:
        if self.refusal is not None:
            raise self.refusal
        passage = FakePassage(key, model)
        passage.headers = self.headers
        self.passages.append(passage)
        return passage


class Client:
    """A client of a gateway on a port, which asks for paths."""

    def __init__(self, port: int, session: aiohttp.ClientSession, server: GatewayServer) -> None:
        self.port, self.session, self.server = port, session, server

    def make_url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def request(self, method: str, path: str, **rest: Any) -> Any:
        return self.session.request(method, self.make_url(path), **rest)

    def get(self, path: str, **rest: Any) -> Any:
        return self.request("GET", path, **rest)

    def post(self, path: str, **rest: Any) -> Any:
        return self.request("POST", path, **rest)


@dataclass
class Around:
    """What a gateway of a test has around it."""

    book: FakeBook = field(default_factory=FakeBook)
    turnstile: FakeTurnstile = field(default_factory=FakeTurnstile)
    rules: Rules = field(default_factory=Rules)
    limits: Limits = field(default_factory=lambda: Limits(body=MAX_BODY))
    pace: Pace = QUICK
    wrong: list[str | None] = field(default_factory=list)  # who came with a key that is not valid


@pytest.fixture
def around() -> Around:
    return Around()


@asynccontextmanager
async def served(backend: FakeBackend, around: Around, folder: Path) -> AsyncIterator[Client]:
    """The gateway and its pages, as the daemon has them."""
    path = str(folder / "pages.sock")
    runner = web.AppRunner(
        Pages(backend).application(), handler_cancellation=True, shutdown_timeout=0.0
    )
    await runner.setup()
    await web.UnixSite(runner, path).start()
    server = GatewayServer(
        backend,
        door=Door(around.book, around.rules),
        turnstile=around.turnstile,
        pages=Endpoint(uds=path),
        limits=around.limits,
        pace=around.pace,
        wrong_key=around.wrong.append,
    )
    port = await server.listen("127.0.0.1", 0)
    async with aiohttp.ClientSession() as session:
        yield Client(port, session, server)
    await server.close(0.0)
    await runner.cleanup()


@pytest.fixture
async def client(backend: FakeBackend, around: Around, short: Path) -> AsyncIterator[Client]:
    """A client of a gateway that holds headers as long as the real one."""
    async with served(backend, around, short) as client:
        yield client


@pytest.fixture
async def hasty(backend: FakeBackend, around: Around, short: Path) -> AsyncIterator[Client]:
    """A client of a gateway that holds headers for a moment only."""
    around.pace = replace(QUICK, hold_headers_s=0.02)
    async with served(backend, around, short) as client:
        yield client
