"""The fake engine starts, stops, fails and dies as its script says."""

import asyncio
import os
import signal
import socket
from typing import Any

import aiohttp
import pytest
from tests.unit.testing.conftest import Start

from sparkwell.testing.running import command_line, wait_until

LONG: dict[str, Any] = {
    "model": "org/model",
    "messages": [{"role": "user", "content": "go on"}],
    "max_tokens": 1000,
    "ignore_eos": True,
}
CHAT = "/v1/chat/completions"


async def state(client: aiohttp.ClientSession) -> dict[str, int]:
    async with client.get("/fake/state") as response:
        return dict(await response.json())


async def until_state(client: aiohttp.ClientSession, **wanted: int) -> None:
    async with asyncio.timeout(10):
        while not wanted.items() <= (await state(client)).items():
            await asyncio.sleep(0.01)


def test_phases_come_in_order_and_take_their_time(start: Start) -> None:
    phases = {"weights": 0.2, "compile": 0.1, "graphs": 0.1}
    engine = start(phases=phases, shards=2).wait_ready()
    marks = [
        "non-default args",
        "Initializing a V1 LLM engine (v0.25.0)",
        "50% Completed | 1/2",
        "Loading weights took 0.20 seconds",
        "torch.compile took 0.10 s in total",
        "GPU KV cache size: 441,664 tokens",
        "Capturing CUDA graphs (PIECEWISE): 100%",
        "took 0.40 s (compilation: 0.10 s)",
        f"Starting vLLM server on unix:{engine.uds}",
        "Application startup complete.",
    ]
    places = [engine.log.find(mark) for mark in marks]
    assert -1 not in places
    assert places == sorted(places)


def test_it_refuses_connections_while_it_loads(start: Start) -> None:
    engine = start(phases={"weights": 60})
    wait_until(lambda: "Loading model" in engine.log)
    assert engine.uds.exists()  # bound early, as vLLM does
    assert not engine.answers()


async def test_over_tcp(start: Start) -> None:
    with socket.socket() as finder:
        finder.bind(("127.0.0.1", 0))
        port = finder.getsockname()[1]
    engine = start("--uds=", "--host", "127.0.0.1", "--port", str(port))
    wait_until(lambda: answers(port))
    assert "startup complete" in engine.log
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
        client.post(CHAT, json={**LONG, "max_tokens": 5}) as response,
    ):
        assert (await response.json())["usage"]["completion_tokens"] == 5


def answers(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


async def test_a_client_that_goes_away_cancels(start: Start) -> None:
    engine = start(tokens_per_s=20).wait_ready()
    async with engine.session() as client:
        response = await client.post(CHAT, json={**LONG, "stream": True})
        await response.content.readline()
        assert (await state(client))["running"] == 1
        response.close()
        await until_state(client, running=0, cancelled=1, finished=0)
        waiting = asyncio.create_task(client.post(CHAT, json=LONG))
        await until_state(client, running=1)
        waiting.cancel()
        await until_state(client, running=0, cancelled=2)


async def test_the_pace_is_kept(start: Start) -> None:
    engine = start("--fake-tokens-per-s", "100", "--fake-ttft-s=0.1", "--max-num-seqs", "1")
    loop = asyncio.get_running_loop()
    async with engine.wait_ready().session() as client:
        began = loop.time()
        async with client.post(CHAT, json={**LONG, "max_tokens": 11}) as response:
            await response.read()
        assert 0.19 < loop.time() - began < 5.0


async def test_healthy_but_without_tokens(start: Start) -> None:
    engine = start("--max-num-seqs=1", health_ok_but_no_tokens=True).wait_ready()
    async with engine.session() as client:
        async with client.get("/health") as response:
            assert response.status == 200
        requests = [asyncio.create_task(client.post(CHAT, json=LONG)) for _ in range(2)]
        await until_state(client, running=1, waiting=1)
        for request in requests:
            request.cancel()
        await until_state(client, running=0, waiting=0, cancelled=2)


def test_sigterm_ends_it_and_its_core(start: Start) -> None:
    engine = start().wait_ready()
    core = engine.core_pid
    assert core
    assert command_line(core).startswith("VLLM::EngineCore")
    assert os.getsid(core) == core
    engine.process.terminate()
    assert engine.exit_code() == 0
    assert not command_line(core)


def test_the_core_outlives_a_killed_parent(start: Start) -> None:
    engine = start().wait_ready()
    engine.process.kill()
    assert engine.exit_code() == -signal.SIGKILL
    assert engine.core_pid
    assert command_line(engine.core_pid)


def test_it_ends_when_its_core_is_killed_while_it_loads(start: Start) -> None:
    engine = start(phases={"weights": 60})
    wait_until(lambda: engine.core_pid is not None)
    assert engine.core_pid
    os.kill(engine.core_pid, signal.SIGKILL)
    assert engine.exit_code() == 1
    assert "Engine core initialization failed" in engine.log


def test_it_ends_when_its_core_is_killed(start: Start) -> None:
    engine = start().wait_ready()
    assert engine.core_pid
    os.kill(engine.core_pid, signal.SIGKILL)
    assert engine.exit_code() == 1
    assert "EngineDeadError" in engine.log


def test_sigterm_ignored(start: Start) -> None:
    engine = start(ignore_sigterm=True).wait_ready()
    assert engine.core_pid
    engine.process.terminate()
    os.kill(engine.core_pid, signal.SIGTERM)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(engine.uds))
        sock.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.0 200")
    assert command_line(engine.core_pid)


def test_a_slow_stop_that_leaves_the_core(start: Start) -> None:
    engine = start(slow_stop_s=0.3, child_survives=True).wait_ready()
    engine.process.terminate()
    wait_until(lambda: "shutdown triggered" in engine.log)
    assert engine.process.poll() is None
    assert engine.exit_code() == 0
    assert engine.core_pid
    assert command_line(engine.core_pid)


def test_failing_in_a_phase(start: Start) -> None:
    engine = start(fail_at_phase="init", fail_code=3)
    assert engine.exit_code() == 3
    assert "ERROR" in engine.log
    assert "ValueError: Free memory on device cuda:0 (14.52/79.18 GiB) on startup" in engine.log
    assert "RuntimeError: Engine core initialization failed." in engine.log
    assert engine.core_pid
    assert not command_line(engine.core_pid)


def test_exit_at_once_and_wrong_usage(start: Start) -> None:
    silent, wrong = start(exit_code_at_once=7), start("--fake-nonsense")
    assert (silent.exit_code(), silent.log) == (7, "")
    assert wrong.exit_code() == 2
    assert "knows no nonsense" in wrong.log


async def test_never_ready_then_stopped(start: Start) -> None:
    engine = start(never_ready=True)
    wait_until(lambda: "startup complete" in engine.log)
    assert not engine.answers()
    engine.process.terminate()
    assert engine.exit_code() == 0


async def test_dying_in_the_middle_of_a_request(start: Start) -> None:
    engine = start(die_after_requests=1, die_code=-signal.SIGKILL).wait_ready()
    async with engine.session() as client:
        assert await whole_answer(client)
        with pytest.raises(aiohttp.ClientError):
            await whole_answer(client)
    assert engine.exit_code() == -signal.SIGKILL


async def whole_answer(client: aiohttp.ClientSession) -> bytes:
    async with client.post(CHAT, json={**LONG, "stream": True}) as response:
        return await response.read()


def test_dying_after_a_while(start: Start) -> None:
    engine = start(die_after_s=0.1).wait_ready()
    assert engine.exit_code() == 1
    assert "Traceback" in engine.log
