"""Sleeping and waking, with the fake engine in a process of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from aiohttp import web

from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.launch import Endpoint
from sparkwell.engines.vllm.sleep import BackEnd
from sparkwell.supervisor.sleeping import put_to_sleep, sleeps, wake
from sparkwell.testing.running import RunningEngine, running_engine

Start = Callable[..., RunningEngine]
SLEEPS = (BackEnd.SLEEP_1, BackEnd.SLEEP_2)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start an engine that can be put to sleep."""
    monkeypatch.setenv("VLLM_SERVER_DEV_MODE", "1")
    with ExitStack() as stack:

        def start_one(**script: object) -> RunningEngine:
            flag = "--enable-sleep-mode"
            return stack.enter_context(running_engine(tmp_path, flag, **script)).wait_ready()

        yield start_one


def at(engine: RunningEngine) -> Endpoint:
    return Endpoint(uds=str(engine.uds))


async def says(engine: RunningEngine) -> str:
    body = {"model": "org/model", "messages": [{"role": "user", "content": "hello"}]}
    async with (
        engine.session() as client,
        client.post("/v1/chat/completions", json=body) as response,
    ):
        return str((await response.json())["choices"][0]["message"]["content"])


@pytest.mark.parametrize("back_end", SLEEPS)
@pytest.mark.parametrize("style", ["0.25", "0.32-cpu"])
async def test_it_sleeps_and_is_whole_again(start: Start, back_end: BackEnd, style: str) -> None:
    engine = start(style=style)
    assert not await sleeps(at(engine))
    await put_to_sleep(at(engine), back_end, 10.0)
    assert await sleeps(at(engine))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(says(engine), 0.2)
    await wake(at(engine), back_end, 10.0)
    assert not await sleeps(at(engine))
    assert await says(engine) == "org/model heard: hello"


@pytest.mark.parametrize("back_end", SLEEPS)
async def test_an_engine_that_dies_of_waking(start: Start, back_end: BackEnd) -> None:
    engine = start(wake_fails=True)
    await put_to_sleep(at(engine), back_end, 10.0)
    with pytest.raises(EnvironmentFault, match="answered 500 to /wake_up"):
        await wake(at(engine), back_end, 10.0)
    assert engine.exit_code() == 1
    with pytest.raises(EnvironmentFault, match="did not wake: "):
        await wake(at(engine), back_end, 10.0)


async def test_the_time_is_over(start: Start) -> None:
    engine = start(sleep_s=30)
    with pytest.raises(EnvironmentFault, match=r"did not fall asleep within 0\.2 s"):
        await put_to_sleep(at(engine), BackEnd.SLEEP_1, 0.2)


async def test_an_engine_without_the_routes(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VLLM_SERVER_DEV_MODE")
    engine = start()
    with pytest.raises(EnvironmentFault, match=r"has no /sleep: .* VLLM_SERVER_DEV_MODE=1"):
        await put_to_sleep(at(engine), BackEnd.SLEEP_1, 10.0)


@pytest.fixture
async def liar(tmp_path: Path) -> AsyncIterator[tuple[Endpoint, list[web.Response]]]:
    """An engine that answers 200 to everything, and to /is_sleeping what a test wants."""
    answers: list[web.Response] = []
    path = str(tmp_path / "e.sock")
    app = web.Application()

    async def ok(_: web.Request) -> web.Response:
        return web.Response()

    async def is_sleeping(_: web.Request) -> web.Response:
        return answers.pop()

    app.router.add_post("/sleep", ok)
    app.router.add_get("/is_sleeping", is_sleeping)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, path).start()
    yield Endpoint(uds=path), answers
    await runner.cleanup()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ('{"is_sleeping": false}', "did not fall asleep, though it said so"),
        ("{}", "not whether it sleeps"),
        ("[]", "not whether it sleeps"),
        ("", "not whether it sleeps"),
        ("<html>", "not whether it sleeps"),
    ],
)
async def test_its_word_alone_is_not_enough(
    liar: tuple[Endpoint, list[web.Response]], answer: str, words: str
) -> None:
    endpoint, answers = liar
    answers.append(web.Response(text=answer))
    with pytest.raises(EnvironmentFault, match=words):
        await put_to_sleep(endpoint, BackEnd.SLEEP_1, 10.0)


async def test_nobody_is_there(tmp_path: Path) -> None:
    nowhere = Endpoint(uds=str(tmp_path / "none.sock"))
    with pytest.raises(EnvironmentFault, match="did not wake: "):
        await wake(nowhere, BackEnd.SLEEP_1, 1.0)
    assert not await sleeps(nowhere)
