"""The monitor as a daemon has it: what it tells Prometheus, what it keeps, what goes wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.app.daemon.test_building import made

from sparkwell.app.daemon.building import Built
from sparkwell.supervisor.box import State


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


def samples(page: bytes) -> dict[str, float]:
    families = text_string_to_metric_families(page.decode())
    return {
        f"{sample.name}{sorted(sample.labels.values())}": sample.value
        for family in families
        for sample in family.samples
    }


async def page_of(built: Built) -> dict[str, float]:
    return samples(await built.host.served.metrics())


async def test_counters_are_told_from_the_beginning(tmp_path: Path, stack: AsyncExitStack) -> None:
    """Prometheus misses the first of something whose counter was not there before."""
    told = await page_of(made(tmp_path, stack))
    assert told["sparkwell_switches_total[]"] == 0
    assert told["sparkwell_guard_trips_total[]"] == 0


async def test_what_happens_is_counted(tmp_path: Path, stack: AsyncExitStack) -> None:
    built = made(tmp_path, stack)
    built.journal.add("switch.done", "Switched", model="demo-qwen3")
    built.host.served.heard("demo-qwen3", None)
    await built.watching.monitor.round()
    built.host.served.heard("demo-qwen3", None)
    await built.watching.monitor.round()
    told = await page_of(built)
    assert told["sparkwell_switches_total[]"] == 1
    assert told["sparkwell_gateway_requests_per_s[]"] > 0
    assert told["sparkwell_available_bytes[]"] > 0


async def test_a_model_that_is_waited_for_is_told(tmp_path: Path, stack: AsyncExitStack) -> None:
    built = made(tmp_path, stack)
    await built.supervisor.adopt()
    ticket = built.host.served.ensure_ready("demo-qwen3")
    waiting = asyncio.create_task(ticket.wait())
    await asyncio.sleep(0)
    told = await page_of(built)
    states = {state: told[f"sparkwell_model_state{sorted(['demo-qwen3', state])}"] for state in
              (*(each.value for each in State), "stopped")}  # fmt: skip
    assert sum(states.values()) == 1
    assert told["sparkwell_queue_requests['demo-qwen3']"] == 1
    waiting.cancel()


async def test_rounds_are_kept_and_can_be_drawn(tmp_path: Path, stack: AsyncExitStack) -> None:
    built = made(tmp_path, stack)
    async with built.watching.running():
        async with asyncio.timeout(20):
            while built.watching.monitor.now().at is None:
                await asyncio.sleep(0.05)
    at = built.watching.monitor.now().at or 0.0
    lines = await built.watching.monitor.history(None, ["available_bytes"], at - 60, at + 1, 50)
    assert any(lines.means["available_bytes"])
    assert built.paths.metrics.exists()


async def test_a_broken_history_is_told_and_hurts_nobody(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    built = made(tmp_path / "first", stack)
    broken = tmp_path / "second" / "state" / "metrics.db"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"no database" * 500)
    built = made(tmp_path / "second", stack)
    await asyncio.sleep(0.05)
    assert "metrics.renewed" in [each.kind for each in built.journal.after(0)]
    await built.watching.monitor.round()
