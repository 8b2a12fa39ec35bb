"""The watch tells a hung engine from a busy one, with the fake engine in a process of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.supervisor.canary import Pulse
from sparkwell.supervisor.liveness import Rules
from sparkwell.testing.running import RunningEngine, running_engine

QUICK = Rules(every_s=0.05, still_s=0.2, idle_s=0.3, deadline_s=0.2, misses=2)
BUSY_FOR_S = 1.5  # long enough to be taken for hung, by the rules above, three times over
HANGS_WITHIN_S = 20.0
Start = Callable[..., RunningEngine]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def start_one(*flags: str, **script: object) -> RunningEngine:
            return stack.enter_context(running_engine(tmp_path, *flags, **script)).wait_ready()

        yield start_one


def pulse(uds: Path, serving: int, engine: str = "vllm", rules: Rules = QUICK) -> Pulse:
    spec = LaunchSpec("i1", "org/model", engine, "1", ("engine",), Endpoint(uds=str(uds)))
    return Pulse(spec, lambda: serving, rules)


@asynccontextmanager
async def somebody_is_answered(engine: RunningEngine) -> AsyncIterator[None]:
    """One long streamed answer, for as long as the block lasts."""
    body = {
        "model": "org/model",
        "messages": [{"role": "user", "content": "go on"}],
        "max_tokens": 10_000,
        "ignore_eos": True,
        "stream": True,
    }
    async with (
        engine.session() as client,
        client.post("/v1/chat/completions", json=body) as response,
    ):
        await response.content.readline()
        yield


async def test_an_engine_that_is_busy_for_long_is_not_hung(start: Start) -> None:
    engine = start("--max-num-seqs=1", tokens_per_s=20)
    async with somebody_is_answered(engine):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pulse(engine.uds, 1).until_hung(), BUSY_FOR_S)


async def test_an_engine_that_hangs_in_the_middle_of_an_answer_is_found(start: Start) -> None:
    engine = start(hang_after_s=0.5, tokens_per_s=20)
    async with somebody_is_answered(engine), asyncio.timeout(HANGS_WITHIN_S):
        reason = await pulse(engine.uds, 1).until_hung()
    assert "says that it is healthy and generates nothing" in reason
    assert "counters stand still" in reason


async def test_an_engine_that_hangs_reports_nobody_and_is_found_all_the_same(start: Start) -> None:
    """The request came after its core's last report; that somebody waits is known from outside."""
    engine = start(health_ok_but_no_tokens=True)
    rules = replace(QUICK, idle_s=1e9)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pulse(engine.uds, 0, rules=rules).until_hung(), BUSY_FOR_S)
    async with asyncio.timeout(HANGS_WITHIN_S):
        assert await pulse(engine.uds, 1, rules=rules).until_hung()


async def test_an_engine_whose_health_hangs_too_is_found(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkwell.supervisor.canary._LOOK_TIMEOUT_S", 0.2)
    engine = start(hang_after_s=0, health_hangs_after_s=0)
    async with asyncio.timeout(HANGS_WITHIN_S):
        assert "does not answer /health" in await pulse(engine.uds, 0).until_hung()


async def test_an_idle_engine_answers_its_canary(start: Start) -> None:
    engine = start()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pulse(engine.uds, 0).until_hung(), BUSY_FOR_S)
    async with engine.session() as client, client.get("/fake/state") as response:
        asked = (await response.json())["requests"]
    assert 1 < asked <= BUSY_FOR_S / QUICK.idle_s


@pytest.fixture
async def ollama(tmp_path: Path) -> AsyncIterator[tuple[Path, asyncio.Event]]:
    """A server that answers /api/ps, and a completion as soon as the event is set."""
    path, answers = tmp_path / "o.sock", asyncio.Event()
    app = web.Application()

    async def ps(_: web.Request) -> web.Response:
        return web.json_response({"models": []})

    async def completion(_: web.Request) -> web.Response:
        await answers.wait()
        return web.json_response({"usage": {"completion_tokens": 1}})

    app.router.add_get("/api/ps", ps)
    app.router.add_post("/v1/completions", completion)
    runner = web.AppRunner(app, shutdown_timeout=0.0, handler_cancellation=True)
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    yield path, answers
    await runner.cleanup()


@pytest.mark.parametrize(
    ("serving", "answering", "hung"), [(0, False, True), (1, False, False), (0, True, False)]
)
async def test_without_counters_the_canary_alone_has_a_say(
    ollama: tuple[Path, asyncio.Event], serving: int, answering: bool, hung: bool
) -> None:
    path, answers = ollama
    if answering:
        answers.set()
    found = None
    with suppress(TimeoutError):
        found = await asyncio.wait_for(pulse(path, serving, "ollama").until_hung(), BUSY_FOR_S)
    assert (found is not None) is hung


@pytest.mark.parametrize(("status", "hung"), [(500, True), (429, False), (404, False)])
async def test_a_refusal_is_no_sign_of_death_and_an_error_is(
    tmp_path: Path, status: int, hung: bool
) -> None:
    app = web.Application()

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=status)

    app.router.add_post("/v1/completions", refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "e.sock")).start()
    found = None
    with suppress(TimeoutError):
        found = await asyncio.wait_for(pulse(tmp_path / "e.sock", 0).until_hung(), BUSY_FOR_S)
    await runner.cleanup()
    assert (found is not None) is hung
