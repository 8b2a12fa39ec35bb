"""What else an engine can do to us: hang, die in a phase, lose its address, fail a few times."""

import asyncio
import signal
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.unit.testing.conftest import Start

from sparkwell.testing.running import RunningEngine, command_line, wait_until

CHAT = "/v1/chat/completions"
SHORT: dict[str, Any] = {"model": "org/model", "messages": [{"role": "user", "content": "go"}]}
LONG = {**SHORT, "max_tokens": 1000, "ignore_eos": True}
SOON = aiohttp.ClientTimeout(total=0.3)


async def answer(client: aiohttp.ClientSession, body: dict[str, Any]) -> Any:
    async with client.post(CHAT, json=body) as response:
        assert response.status == 200
        return await response.json()


async def metrics(client: aiohttp.ClientSession) -> str:
    async with client.get("/metrics") as response:
        return await response.text()


async def is_healthy(client: aiohttp.ClientSession) -> bool:
    async with client.get("/health", timeout=SOON) as response:
        return response.status == 200


@pytest.mark.parametrize("phase", ["launch", "weights"])
def test_killed_while_loading_leaves_no_last_words(start: Start, phase: str) -> None:
    engine = start(die_at_phase=phase, die_code=-signal.SIGKILL, phases={phase: 0.1})
    assert engine.exit_code() == -signal.SIGKILL
    assert "Traceback" not in engine.log
    assert "startup complete" not in engine.log


async def test_it_hangs_in_the_middle_of_a_request_and_says_that_it_is_well(start: Start) -> None:
    engine = start(hang_after_requests=1, tokens_per_s=100).wait_ready()
    async with engine.session() as client:
        assert await answer(client, SHORT)
        async with client.post(CHAT, json={**LONG, "stream": True}) as stream:
            assert b"org/model" in await stream.content.readline() + await next_event(stream)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(stream.read(), 0.3)
            before = await metrics(client)
            with pytest.raises(TimeoutError):
                await client.post(CHAT, json=SHORT, timeout=SOON)
            assert await is_healthy(client)
            assert await metrics(client) == before
            assert 'num_requests_running{engine="0",model_name="org/model"} 1.0' in before


async def next_event(stream: aiohttp.ClientResponse) -> bytes:
    await stream.content.readline()
    return await stream.content.readline()


async def test_it_hangs_from_some_moment_on(start: Start) -> None:
    engine = start(hang_after_s=0.3, tokens_per_s=20).wait_ready()
    async with engine.session() as client:
        with pytest.raises(TimeoutError):
            await client.post(CHAT, json=LONG, timeout=aiohttp.ClientTimeout(total=1.0))
        assert await is_healthy(client)
        done = float((await metrics(client)).split("generation_tokens_total{")[1].split()[1])
        assert 0 < done < 20


async def test_health_itself_hangs(start: Start) -> None:
    engine = start(health_hangs_after_s=0.5).wait_ready()
    async with engine.session() as client:
        assert await is_healthy(client)
        await asyncio.sleep(0.5)
        with pytest.raises(TimeoutError):
            await is_healthy(client)
        assert await answer(client, SHORT)


def test_dying_of_sigterm(start: Start) -> None:
    engine = start(die_on_sigterm=True, die_code=3).wait_ready()
    engine.process.terminate()
    assert engine.exit_code() == 3
    assert "Application shutdown complete" not in engine.log


def test_it_says_what_a_file_says_and_fails(start: Start, tmp_path: Path) -> None:
    words = tmp_path / "last-words.log"
    words.write_text("(EngineCore_DP0 pid=7) ValueError: as it was\n")
    engine = start(fail_at_phase="init", fail_log=str(words), fail_code=3)
    assert engine.exit_code() == 3
    assert engine.log.endswith("(EngineCore_DP0 pid=7) ValueError: as it was\n")
    assert "Engine core initialization failed" not in engine.log


def test_a_late_bind_finds_its_address_taken(start: Start) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = str(other.getsockname()[1])
        engine = start("--uds=", "--host=127.0.0.1", f"--port={port}", bind_late=True)
        assert engine.exit_code() == 1
    assert "Capturing CUDA graphs" in engine.log
    assert "OSError: [Errno 98] Address already in use" in engine.log


def test_it_fails_a_few_times_and_then_works(start: Start, tmp_path: Path) -> None:
    counter = tmp_path / "starts"
    codes = [start(fail_first=2, counter=str(counter), fail_code=4).exit_code() for _ in range(2)]
    assert codes == [4, 4]
    start(fail_first=2, counter=str(counter), fail_code=4).wait_ready()
    assert counter.stat().st_size == 3


def test_the_failure_that_it_has_a_few_times_can_be_any(start: Start, tmp_path: Path) -> None:
    script: dict[str, object] = {"counter": str(tmp_path / "starts"), "fail_first": 1}
    assert start(exit_code_at_once=0, **script).exit_code() == 0
    start(exit_code_at_once=0, **script).wait_ready()


def resident_mib(engine: RunningEngine) -> int:
    assert engine.core_pid
    status = Path(f"/proc/{engine.core_pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) // 1024


def test_memory_is_held_from_the_weights_on(start: Start) -> None:
    engine = start(hold_mib=96, phases={"weights": 30})
    wait_until(lambda: "Loading model" in engine.log and resident_mib(engine) >= 96)
    assert engine.core_pid
    assert command_line(engine.core_pid).startswith("VLLM::EngineCore\0")
    assert resident_mib(engine) < 150


def test_a_spike_while_memory_is_profiled(start: Start) -> None:
    engine = start(hold_mib=32, spike_mib=96, phases={"profile": 0.5})
    wait_until(lambda: engine.core_pid is not None and resident_mib(engine) >= 128)
    engine.wait_ready()
    assert 32 <= resident_mib(engine) < 96


def test_a_leak_ends_at_its_bound(start: Start) -> None:
    engine = start(hold_mib=32, leak_mib_per_s=400, leak_most_mib=64).wait_ready()
    wait_until(lambda: resident_mib(engine) >= 96)
    assert resident_mib(engine) < 128


def test_memory_is_given_back_late_by_a_child_that_survives(start: Start) -> None:
    engine = start(hold_mib=64, child_survives=True, child_life_s=1).wait_ready()
    engine.process.terminate()
    assert engine.exit_code() == 0
    assert engine.core_pid
    assert resident_mib(engine) >= 64
    wait_until(lambda: not command_line(engine.core_pid or 0))


def test_memory_is_held_by_what_outlives_a_killed_parent(start: Start) -> None:
    engine = start(hold_mib=64).wait_ready()
    engine.process.kill()
    assert engine.exit_code() == -signal.SIGKILL
    assert resident_mib(engine) >= 64
