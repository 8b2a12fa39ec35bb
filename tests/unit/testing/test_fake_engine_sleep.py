"""The fake engine sleeps as vLLM does in its development mode."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.unit.testing.conftest import Start

from sparkwell.testing.running import RunningEngine, wait_until

CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "org/model", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(autouse=True)
def development_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_SERVER_DEV_MODE", "1")


@pytest.fixture
async def client(start: Start) -> AsyncIterator[aiohttp.ClientSession]:
    async with start("--enable-sleep-mode", style="0.32-cpu").wait_ready().session() as session:
        yield session


async def post(client: aiohttp.ClientSession, path: str, **body: object) -> tuple[int, Any]:
    async with client.post(path, json=body) as response:
        text = await response.read()
        return response.status, await response.json() if text else None


async def is_sleeping(client: aiohttp.ClientSession) -> bool:
    async with client.get("/is_sleeping") as response:
        return bool((await response.json())["is_sleeping"])


async def text_of(client: aiohttp.ClientSession) -> str:
    status, answer = await post(client, CHAT, **HELLO)
    assert status == 200
    return str(answer["choices"][0]["message"]["content"])


async def test_level_1_and_all_of_it_awake_again(client: aiohttp.ClientSession) -> None:
    assert not await is_sleeping(client)
    assert await post(client, "/sleep?level=1") == (200, {"status": "sleeping", "level": 1})
    assert await is_sleeping(client)
    assert await post(client, "/wake_up") == (200, {"status": "awake", "tags": None})
    assert not await is_sleeping(client)
    assert await text_of(client) == "org/model heard: hello"


async def test_level_2_wants_its_weights_loaded_again(client: aiohttp.ClientSession) -> None:
    await post(client, "/sleep?level=2")
    status, _ = await post(client, "/collective_rpc", method="reload_weights")
    assert status == 500  # there is no memory for them yet
    told = {"status": "sleeping", "tags": ["weights"]}
    assert await post(client, "/wake_up?tags=weights") == (200, told)
    assert await post(client, "/collective_rpc", method="reload_weights") == (
        200,
        {"results": [None]},
    )
    await post(client, "/wake_up?tags=kv_cache")
    assert not await is_sleeping(client)
    assert await text_of(client) == "org/model heard: hello"


async def test_level_2_without_a_reload_talks_nonsense(client: aiohttp.ClientSession) -> None:
    await post(client, "/sleep?level=2")
    await post(client, "/wake_up")
    assert await text_of(client) == "!!!"


async def test_a_request_waits_until_the_engine_wakes(client: aiohttp.ClientSession) -> None:
    await post(client, "/sleep")
    waiting = asyncio.create_task(text_of(client))
    done, _ = await asyncio.wait([waiting], timeout=0.2)
    assert not done
    await post(client, "/wake_up")
    assert await waiting == "org/model heard: hello"


async def test_what_runs_is_aborted(start: Start) -> None:
    engine = start("--enable-sleep-mode", tokens_per_s=50).wait_ready()
    async with engine.session() as client:
        body = {**HELLO, "max_tokens": 500, "ignore_eos": True}
        running = asyncio.create_task(post(client, CHAT, **body))
        await asyncio.sleep(0.2)
        assert await post(client, "/sleep") == (200, None)  # 0.25 has no words for it
        _, answer = await running
    assert answer["choices"][0]["finish_reason"] == "abort"
    assert 0 < answer["usage"]["completion_tokens"] < 500


async def test_metrics_say_how_it_sleeps(client: aiohttp.ClientSession) -> None:
    await post(client, "/sleep?level=2")
    async with client.get("/metrics") as response:
        text = await response.text()
    assert 'sleep_state="awake"} 0.0' in text
    assert 'sleep_state="discard_all"} 1.0' in text


@pytest.mark.parametrize(("flags", "asleep_mib"), [(("--enable-sleep-mode",), 32), ((), 96)])
async def test_memory_is_given_back_with_the_flag_alone(
    start: Start, flags: tuple[str, ...], asleep_mib: int
) -> None:
    engine = start(*flags, hold_mib=96, asleep_mib=32).wait_ready()
    async with engine.session() as client:
        await post(client, "/sleep")
        assert asleep_mib <= resident_mib(engine) < asleep_mib + 32
        await post(client, "/wake_up")
        assert resident_mib(engine) >= 96


def resident_mib(engine: RunningEngine) -> int:
    assert engine.core_pid
    status = Path(f"/proc/{engine.core_pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) // 1024


async def test_waking_can_kill_it(start: Start) -> None:
    engine = start("--enable-sleep-mode", wake_fails=True).wait_ready()
    async with engine.session() as client:
        await post(client, "/sleep")
        status, _ = await post(client, "/wake_up")
        assert status == 500
    assert engine.exit_code() == 1
    wait_until(lambda: "EngineDeadError" in engine.log)


async def test_sleeping_takes_its_time(start: Start) -> None:
    engine = start("--enable-sleep-mode", sleep_s=0.2, wake_s=0.2, reload_s=0.2).wait_ready()
    loop = asyncio.get_running_loop()
    async with engine.session() as client:
        for path in ("/sleep", "/wake_up", "/collective_rpc"):
            began = loop.time()
            await post(client, path, method="reload_weights")
            assert loop.time() - began >= 0.2


@pytest.mark.parametrize("path", ["/sleep?level=0", "/collective_rpc"])
async def test_nonsense_is_refused(client: aiohttp.ClientSession, path: str) -> None:
    status, _ = await post(client, path)
    assert status == 400


async def test_there_is_no_sleep_without_the_development_mode(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VLLM_SERVER_DEV_MODE")
    async with start("--enable-sleep-mode").wait_ready().session() as client:
        assert (await post(client, "/sleep"))[0] == 404
