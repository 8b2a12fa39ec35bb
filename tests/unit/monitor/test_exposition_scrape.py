"""Engines are asked for their pages all at once; one that is slow or broken holds nobody up."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from sparkwell.core.launch import Endpoint
from sparkwell.monitor.exposition_scrape import LARGEST_BYTES, EnginePages, PageTarget


@dataclass
class Engine:
    """A page that a test sets, and how often it was asked for."""

    text: str = "vllm:a 1\n"
    status: int = 200
    after_s: float = 0.0
    asked: int = 0
    held: asyncio.Event = field(default_factory=asyncio.Event)

    async def metrics(self, _request: web.Request) -> web.Response:
        self.asked += 1
        await asyncio.sleep(self.after_s)
        return web.Response(status=self.status, body=self.text.encode("latin-1"))


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sw") as folder:
        yield Path(folder)


@asynccontextmanager
async def served(engine: Engine, socket: Path) -> AsyncIterator[PageTarget]:
    app = web.Application()
    app.router.add_get("/metrics", engine.metrics)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.0)
    await runner.setup()
    await web.UnixSite(runner, str(socket)).start()
    yield PageTarget(socket.stem, Endpoint(uds=str(socket)))
    await runner.cleanup()


async def test_a_page_for_each_engine(short: Path) -> None:
    one, two = Engine(), Engine("vllm:b 2\n")
    async with served(one, short / "one.s") as first, served(two, short / "two.s") as second:
        pages = await EnginePages(lambda: [first, second]).now()
    assert [(page.model, page.text) for page in pages] == [
        ("one", "vllm:a 1\n"),
        ("two", "vllm:b 2\n"),
    ]


@pytest.mark.parametrize(
    "engine",
    [
        Engine(status=500),
        Engine(status=302),
        Engine(after_s=60.0),
        Engine(text="vllm:a 1\n" * (LARGEST_BYTES // 9 + 1)),
    ],
    ids=["error", "elsewhere", "slow", "large"],
)
async def test_a_bad_engine_holds_nobody_up(engine: Engine, short: Path) -> None:
    good = Engine()
    async with served(engine, short / "bad.s") as bad, served(good, short / "good.s") as well:
        gone = PageTarget("gone", Endpoint(uds=str(short / "none.s")))
        pages = EnginePages(lambda: [bad, well, gone], timeout_s=0.5)
        async with asyncio.timeout(5):
            found = await pages.now()
    assert [page.ok for page in found] == [False, True, False]


async def test_bytes_that_are_no_text_are_read_as_far_as_they_are(short: Path) -> None:
    engine = Engine("\xff\xfe\nvllm:a 1\n")
    async with served(engine, short / "e.s") as target:
        (page,) = await EnginePages(lambda: [target]).now()
    assert page.ok


async def test_many_scrapers_ask_the_engine_once(short: Path) -> None:
    engine = Engine(after_s=0.05)
    async with served(engine, short / "e.s") as target:
        pages = EnginePages(lambda: [target], kept_s=60.0)
        found = await asyncio.gather(*(pages.now() for _ in range(20)))
        assert engine.asked == 1
        assert all(page.ok for each in found for page in each)


async def test_a_page_is_kept_for_a_moment_only(short: Path) -> None:
    engine = Engine()
    async with served(engine, short / "e.s") as target:
        pages = EnginePages(lambda: [target], kept_s=0.0)
        await pages.now()
        engine.text = "vllm:a 2\n"
        (page,) = await pages.now()
    assert page.text == "vllm:a 2\n"


async def test_who_has_ended_is_not_told_any_more(short: Path) -> None:
    one, two = Engine(), Engine()
    async with served(one, short / "one.s") as first, served(two, short / "two.s") as second:
        now = [first]
        pages = EnginePages(lambda: now, kept_s=60.0)
        await pages.now()
        now[:] = [second]
        assert [page.model for page in await pages.now()] == ["two"]
        now.clear()
        assert await pages.now() == []


async def test_a_scraper_that_goes_leaves_the_others_their_page(short: Path) -> None:
    engine = Engine(after_s=0.1)
    async with served(engine, short / "e.s") as target:
        pages = EnginePages(lambda: [target], kept_s=60.0)
        first = asyncio.create_task(pages.now())
        second = asyncio.create_task(pages.now())
        await asyncio.sleep(0.02)
        first.cancel()
        (page,) = await second
    assert page.ok
