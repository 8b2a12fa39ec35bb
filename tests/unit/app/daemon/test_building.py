"""The parts of a daemon, put together: what one part needs of another is there."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from sparkwell.admin.api import UpBody
from sparkwell.app.daemon import building
from sparkwell.app.daemon.building import Built, build
from sparkwell.app.daemon.host import About, Host
from sparkwell.app.daemon.preloading import preload
from sparkwell.app.daemon.supervising import new_id, policy_of
from sparkwell.app.paths import Paths, find_paths
from sparkwell.app.planning.planning import Planning
from sparkwell.app.settings.config import Settings, SwitchingSettings
from sparkwell.catalog import load_catalog
from sparkwell.core.errors import ConflictError
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.core.units import GIB
from sparkwell.hardware.description import find_machine
from sparkwell.store import BreakerRow, Resident, Store
from sparkwell.supervisor.box import State
from sparkwell.supervisor.breaker import FAILURES_TO_OPEN
from sparkwell.supervisor.naming import word_of
from sparkwell.supervisor.terms import Policy
from sparkwell.testing.environment import install_fake_environment

QWEN, LLAMA, ANOTHER = "demo-qwen3", "demo-llama", "qwen3-8b-fp8"
ABOUT = About("127.0.0.1", 0, detached=False, started_at=0.0)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Planning, "here", find_machine("dgx-spark"))


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


def state(folder: Path) -> Paths:
    paths = find_paths({"SPARKWELL_HOME": str(folder)})
    paths.make()
    return paths


def made(folder: Path, stack: AsyncExitStack, **settings: Any) -> Built:
    paths = state(folder)
    install_fake_environment(paths.engines, "vllm-cpu")
    wanted = Settings.model_validate(settings)
    built = build(paths, wanted, load_catalog(), ABOUT, lambda _stop: None, stack)
    stack.push_async_callback(built.supervisor.close)
    return built


def test_the_rules_are_those_of_the_settings() -> None:
    settings = SwitchingSettings(min_residency_s=1, patience_s=2, max_wait_s=3, max_waiting=4)
    policy = policy_of(settings)
    assert (policy.min_residency_s, policy.patience_s) == (1, 2)
    assert (policy.max_wait_s, policy.max_waiting) == (3, 4)
    assert policy_of(SwitchingSettings()) == Policy()


def test_ids_name_their_model_and_never_come_again() -> None:
    ids = {new_id("ollama/Llama3.2:1b") for _ in range(50)}
    assert len(ids) == 50
    assert {each.rpartition("-")[0] for each in ids} == {word_of("ollama/Llama3.2:1b")}


async def test_status_tells_of_memory_and_guard(tmp_path: Path, stack: AsyncExitStack) -> None:
    built = made(tmp_path, stack, guard={"soft_floor_gib": 6}, switching={"budget_gib": 50})
    status = built.host.status()
    memory = status["memory"]
    assert memory["floor_bytes"] == 6 * GIB
    assert memory["budget_bytes"] == 50 * GIB
    assert memory["promised_bytes"] == 0
    assert memory["available_bytes"] > 0
    assert status["guard"] == {"enabled": True, "running": False}
    assert (status["queue"], status["switch"]) == ([], None)


async def test_without_a_guard_there_is_no_floor(tmp_path: Path, stack: AsyncExitStack) -> None:
    status = made(tmp_path, stack, guard={"enabled": False}).host.status()
    assert status["memory"]["floor_bytes"] is None
    assert status["guard"]["enabled"] is False


async def test_what_an_earlier_daemon_held_against_a_model(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    made(tmp_path, stack).store.breakers.save(
        BreakerRow("demo-qwen3", 3, time.time() + 100, "boom", "x-1")
    )
    built = made(tmp_path, stack)
    breaker = built.supervisor.box.breaker("demo-qwen3")
    assert breaker is not None
    assert breaker.refuses(built.supervisor.now)
    assert not breaker.refuses(built.supervisor.now + 101)


async def test_after_a_reboot_a_model_comes_back_with_its_flags(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    paths = find_paths({"SPARKWELL_HOME": str(tmp_path)})
    paths.make()
    with closing(Store(paths.store)) as store:
        wish = '{"set": "[\\"max_num_seqs=3\\"]", "kept": true}'
        rows = [Resident("demo-qwen3", wish, 0), Resident("gone", "{}", 1)]
        store.residents.set(rows, "another boot")
    built = made(tmp_path, stack)
    await built.recover()
    async with asyncio.timeout(5):
        while not (instance := built.supervisor.of("demo-qwen3")) or not (
            spec := built.supervisor.spec(instance.id)
        ):
            await asyncio.sleep(0.01)
    assert instance.state is State.STARTING
    assert (instance.kept, instance.terms.idle_s) == (True, None)
    assert spec.argv[spec.argv.index("--max-num-seqs") + 1] == "3"
    rows = built.store.residents.of_this_boot(built.boot_id)
    assert [each.model for each in rows] == ["demo-qwen3"]
    await built.supervisor.down()


def booted(monkeypatch: pytest.MonkeyPatch, boot: str) -> None:
    monkeypatch.setattr(building, "read_boot_id", lambda: boot)


async def started_as_it_went_down(folder: Path, model: str) -> None:
    """The machine goes down in the middle of a start."""
    async with AsyncExitStack() as stack:
        built = made(folder, stack)
        built.store.intents.begin("start", model, "i-1")


async def test_a_start_that_took_the_machine_down_waits_longer_each_time(
    tmp_path: Path, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    booted(monkeypatch, "boot-0")
    with closing(Store(state(tmp_path).store)) as store:
        store.residents.set([Resident(QWEN, '{"kept": true}', 0)], "boot-0")
    for number in range(1, FAILURES_TO_OPEN + 1):
        await started_as_it_went_down(tmp_path, QWEN)
        booted(monkeypatch, f"boot-{number}")
        async with AsyncExitStack() as again:
            built = made(tmp_path, again)
            await built.recover()
            breaker = built.supervisor.box.breaker(QWEN)
            assert breaker is not None
            assert breaker.failures == number
            assert breaker.holds_back(built.supervisor.now)
            returning = [each.model for each in built.supervisor.box.comebacks]
            assert returning == ([] if breaker.open else [QWEN])
            assert built.supervisor.instances == ()
            [said] = [e.message for e in built.journal.after(0) if e.kind == "recovery.wedged"]
            assert "the machine restarted while it started" in said


# ── preload ─────────────────────────────────────────────────────────────────────────────────


async def test_what_is_preloaded_is_upped(
    tmp_path: Path, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    upped: list[tuple[str, ...]] = []

    async def up(_self: Host, body: UpBody) -> None:
        upped.append(body.models)

    monkeypatch.setattr(Host, "up", up)
    await preload(made(tmp_path, stack), ("no-such-model", QWEN))
    assert upped == [(QWEN,)]


@pytest.mark.parametrize("refused", [False, True])
async def test_all_that_is_preloaded_is_upped_together_where_it_fits(
    tmp_path: Path, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    """The first one alone would take the whole GPU. One that had failed comes by itself."""
    upped: list[tuple[str, ...]] = []

    async def up(_self: Host, body: UpBody) -> None:
        upped.append(body.models)
        if refused and len(body.models) > 1:
            raise ConflictError("They do not fit.")

    monkeypatch.setattr(Host, "up", up)
    with closing(Store(state(tmp_path).store)) as store:
        store.breakers.save(BreakerRow(QWEN, 1, time.time() + 100, "boom", "x-1"))
    built = made(tmp_path, stack)
    await preload(built, (LLAMA, "no-such-model", QWEN, ANOTHER))
    assert upped == [(LLAMA, ANOTHER), *([(LLAMA,), (ANOTHER,)] if refused else [])]
    assert [each.model for each in built.supervisor.box.comebacks] == [QWEN]


@pytest.mark.parametrize(("failures", "returning"), [(1, [QWEN]), (2, [QWEN]), (3, [])])
async def test_what_failed_before_is_preloaded_after_its_pause_or_not_at_all(
    tmp_path: Path, stack: AsyncExitStack, failures: int, returning: list[str]
) -> None:
    """Upped at each boot, it would be forgiven each time that it takes the machine down."""
    with closing(Store(state(tmp_path).store)) as store:
        store.breakers.save(BreakerRow(QWEN, failures, time.time() + 100, "boom", "x-1"))
    built = made(tmp_path, stack)
    await preload(built, (QWEN,))
    box = built.supervisor.box
    assert [each.model for each in box.comebacks] == returning
    assert all(each.kept for each in box.comebacks)
    breaker = box.breaker(QWEN)
    assert breaker is not None
    assert breaker.failures == failures
    kinds = [event.kind for event in built.journal.after(0)]
    assert kinds == ([] if returning else ["preload.left_alone"])


async def test_what_a_start_has_shown_is_planned_with(
    tmp_path: Path, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten: list[str] = []
    built = made(tmp_path, stack)
    monkeypatch.setattr(built.terms, "forget", forgotten.append)
    spec = LaunchSpec("i", "demo-qwen3", "vllm", "1", (), Endpoint(uds="/x"))
    await built.supervisor._deeds._measured(spec, {})
    assert forgotten == ["demo-qwen3"]


async def test_events_are_kept_and_counted_on(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        made(tmp_path, stack).journal.add("instance.ready", "a is ready", model="a")
    async with AsyncExitStack() as stack:
        built = made(tmp_path, stack)
        assert built.journal.cursor == 1
        assert built.journal.add("instance.ready", "b is ready").seq == 2


async def test_a_store_that_was_broken_is_told(tmp_path: Path, stack: AsyncExitStack) -> None:
    paths = find_paths({"SPARKWELL_HOME": str(tmp_path)})
    paths.make()
    paths.store.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    built = made(tmp_path, stack)
    assert [event.kind for event in built.journal.after(0)] == ["store.renewed"]
