"""Engines asked for figures: whatever one answers, it is told, and the others are read."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.monitor.engines import READERS, Engine, answer, serving

from sparkwell.engines.samples import EngineSample
from sparkwell.monitor import connections
from sparkwell.monitor.readers import READERS as REAL
from sparkwell.monitor.readers import EngineReader
from sparkwell.monitor.scraping import Answer, Scraper

MOVED = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    async with serving() as engine:
        yield engine


@pytest.fixture
async def scraper() -> AsyncIterator[Scraper]:
    scraper = Scraper(READERS)
    yield scraper
    await scraper.close()


async def ask(scraper: Scraper, engine: Engine) -> Answer:
    return (await scraper.ask([engine.target()]))["i"]


async def test_a_sample(scraper: Scraper, engine: Engine) -> None:
    engine.tokens(12, running=3)
    before = time.monotonic()
    found = await ask(scraper, engine)
    assert found.sample == EngineSample(running=3, generation_tokens=12)
    assert found.problem is None
    assert before <= found.at <= time.monotonic()
    assert engine.head.startswith("GET /metrics ")


async def test_over_a_unix_socket(scraper: Scraper, tmp_path: Path) -> None:
    async with serving(str(tmp_path / "e.sock")) as engine:
        assert (await ask(scraper, engine)).sample == EngineSample(running=0, generation_tokens=0)


async def test_a_connection_is_used_again(scraper: Scraper, engine: Engine) -> None:
    engine.close = False
    for _ in range(3):
        await ask(scraper, engine)
    assert engine.asked == 3


async def test_nothing_compressed_is_asked_for_or_unpacked(
    scraper: Scraper, engine: Engine
) -> None:
    body = gzip.compress(b"0" * 10_000_000)
    engine.say = answer(body).replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n", 1)
    found = await ask(scraper, engine)
    assert found.problem == "the answer of /metrics is no text"
    assert "Accept-Encoding: identity" in engine.head


@pytest.mark.parametrize(
    ("say", "problem"),
    [
        (answer(b"", "404 Not Found"), "/metrics cannot be read: status 404"),
        (answer(b"", "503 Service Unavailable"), "/metrics cannot be read: status 503"),
        (MOVED, "/metrics cannot be read: status 302"),
        (answer(b"<html><b>hello</b></html>"), "the answer of /metrics has no known figure"),
        (answer(b""), "the answer of /metrics has no known figure"),
        (answer(b"renamed_tokens 12 running 3"), "the answer of /metrics has no known figure"),
        (answer(b"\xff\xfe"), "the answer of /metrics is no text"),
        (answer(b"tokens 12 run", length=500), "/metrics cannot be read: the answer broke off"),
        (b"", "/metrics cannot be read: the answer broke off"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "/metrics cannot be read: it is no HTTP"),
        (answer(b"x" * (connections.MOST_BYTES + 1)), "/metrics cannot be read: more than 4 MiB"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told(
    scraper: Scraper, engine: Engine, say: bytes, problem: str
) -> None:
    engine.say, engine.close = say, True
    found = await ask(scraper, engine)
    assert found.sample is None
    assert (found.problem or "").startswith(problem)


async def test_no_more_is_read_than_that(scraper: Scraper, engine: Engine) -> None:
    """50 MB are announced, and the connection is closed long before they have come."""
    engine.say, engine.close = answer(b"x" * 6_000_000, length=50_000_000), False
    began = time.monotonic()
    assert "4 MiB" in ((await ask(scraper, engine)).problem or "")
    assert time.monotonic() - began < 1.5


async def test_nobody_there(scraper: Scraper, tmp_path: Path) -> None:
    gone = Engine()
    assert (await ask(scraper, gone)).problem == "/metrics cannot be read: nobody listens"
    async with serving(str(tmp_path / "e.sock")) as ended:
        pass
    assert (await ask(scraper, ended)).problem == "/metrics cannot be read: nobody listens"


async def test_an_engine_that_nobody_can_read(scraper: Scraper, engine: Engine) -> None:
    found = (await scraper.ask([engine.target(engine="llamafile")]))["i"]
    assert "llamafile" in (found.problem or "")
    assert engine.asked == 0


async def test_a_slow_one_delays_no_other(
    scraper: Scraper, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "TIMEOUT_S", 0.3)
    async with serving() as slow, serving() as broken:
        slow.after_s, broken.say = 30, answer(b"<html>")
        engine.tokens(7)
        asked = [slow.target("slow"), engine.target("well"), broken.target("broken")]
        began = time.monotonic()
        found = await scraper.ask(asked)
        assert time.monotonic() - began < 2
    assert found["slow"].problem == "/metrics was not answered within 0 s"
    assert found["well"].sample == EngineSample(running=1, generation_tokens=7)
    assert found["broken"].sample is None
    assert found["well"].at < found["slow"].at - 0.2


async def test_half_an_answer_and_then_nothing(
    scraper: Scraper, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "TIMEOUT_S", 0.2)
    engine.say = answer(b"tokens 12 running 3", length=500)
    assert "not answered" in ((await ask(scraper, engine)).problem or "")


async def test_connections_to_those_that_have_gone_are_closed(
    scraper: Scraper, engine: Engine
) -> None:
    await ask(scraper, engine)
    assert len(scraper._connections._sessions) == 1
    await scraper.ask([])
    assert scraper._connections._sessions == {}


async def test_a_reader_that_fails_is_a_problem_of_its_engine_alone(engine: Engine) -> None:
    def fails(_text: str, _spec: object) -> EngineSample:
        raise KeyError("buckets")

    scraper = Scraper({**READERS, "broken": EngineReader("/metrics", fails)})
    async with serving() as other:
        found = await scraper.ask([other.target("b", engine="broken"), engine.target("well")])
    assert found["b"].problem == "its figures cannot be read: KeyError('buckets')"
    assert found["well"].sample is not None
    await scraper.close()


async def test_every_engine_that_is_talked_to_is_read() -> None:
    spec = Engine().target().spec
    assert set(REAL) == {"vllm", "ollama"}
    assert REAL["vllm"].read("vllm:num_requests_running 2.0\n", spec).running == 2
    for reader in REAL.values():
        assert reader.read("<html>", spec) == EngineSample()
    await asyncio.sleep(0)
