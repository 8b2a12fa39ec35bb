"""The daemon's part of a snapshot."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from sparkwell.app.daemon.building import Built, build
from sparkwell.app.diagnosing.living import without_runs
from sparkwell.app.diagnosing.parts import DaemonParts, from_json
from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Planning
from sparkwell.app.settings.config import Settings
from sparkwell.app.status.about import About
from sparkwell.catalog import load_catalog
from sparkwell.checks.box import BoxState
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.core.phases import Phase
from sparkwell.hardware.description import find_machine
from sparkwell.store import BreakerRow
from sparkwell.supervisor.box import Box, Instance, State
from sparkwell.supervisor.breaker import Breaker
from sparkwell.supervisor.start import Timeline

MODEL = "demo-qwen3"
SPEC = LaunchSpec("demo-1", MODEL, "vllm", "0.25.0", ("true",), Endpoint(uds="/s"),
                  labels={"device": "cuda", "flags": json.dumps({"max_num_seqs": 4})})  # fmt: skip


@pytest.fixture
async def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Built]:
    monkeypatch.setattr(Planning, "here", find_machine("dgx-spark"))
    paths = find_paths({"SPARKWELL_HOME": str(tmp_path)})
    paths.make()
    about = About("127.0.0.1", 0, detached=False, started_at=0.0)
    async with AsyncExitStack() as stack:
        built = build(paths, Settings(), load_catalog(), about, lambda _stop: None, stack)
        stack.push_async_callback(built.supervisor.close)
        yield built


def parts(built: Built) -> DaemonParts:
    return from_json(json.dumps(built.host.snapshot()).encode())


def put(built: Built, box: Box, *, spec: LaunchSpec | None = SPEC) -> None:
    """Have the supervisor be in a state that it would take long to come to."""
    supervisor = built.supervisor
    supervisor._box = box
    if spec:
        supervisor._runs.specs["demo-1"] = spec


async def test_an_idle_daemon_has_a_box_and_no_runs(built: Built) -> None:
    told = parts(built)
    assert (told.runs, told.serving) == ((), ())
    assert told.box
    assert told.box.guard_wanted


async def test_a_start_with_what_its_phase_took_before(built: Built) -> None:
    put(built, Box((Instance("demo-1", MODEL, State.STARTING, Phase.WEIGHTS),)))
    built.supervisor._runs.timelines["demo-1"] = Timeline(
        entered={Phase.LAUNCH: 10.0, Phase.WEIGHTS: 20.0}
    )
    for took in (5.0, 90.0, 7.0):
        built.store.history.add(SPEC, {Phase.WEIGHTS: took}, 1.0)
    [run] = parts(built).runs
    assert (run.state, run.phase, run.started_at, run.phase_since) == (
        "starting",
        "weights",
        10,
        20,
    )
    assert (run.phase_longest_s, run.ready_at) == (90.0, None)
    assert run.flags == {"max_num_seqs": 4}
    assert run.planned_quantization == "none"


async def test_a_failure_with_what_is_held_against_the_model(built: Built) -> None:
    now = built.supervisor.now
    breaker = Breaker(MODEL, 3, now + 100.0, "boom", "demo-0", while_starting=True)
    failed = Instance("demo-1", MODEL, State.FAILED, error="no memory", hint="Buy some.")
    put(built, Box((failed,), breakers=(breaker,)))
    built.store.restarts.add(MODEL, "demo-0", "boom", time.time())
    told = parts(built)
    [run] = told.runs
    assert (run.error, run.hint, run.failures, run.restarts) == ("no memory", "Buy some.", 3, 1)
    assert run.held_until == pytest.approx(time.time() + 100.0, abs=5)
    assert run.first_reason == "boom"
    assert told.box
    assert (told.box.failed, told.box.restarts) == ((), ())  # checks look at the run


async def test_a_start_that_never_had_a_spec(built: Built) -> None:
    failed = Instance("demo-1", MODEL, State.FAILED, error="refused")
    put(built, Box((failed,)), spec=None)
    [run] = parts(built).runs
    assert (run.id, run.state, run.error, run.end) == ("demo-1", "failed", "refused", None)


async def test_a_model_that_an_earlier_daemon_saw_fail(built: Built) -> None:
    built.store.breakers.save(BreakerRow("demo-llama", 3, time.time() + 9, "boom", "demo-0"))
    built.store.breakers.save(BreakerRow(MODEL, 1, time.time() + 9, "boom", "demo-0"))
    put(built, Box((Instance("demo-1", MODEL, State.STARTING),)))
    runs = {run.model: run for run in parts(built).runs}
    assert (runs["demo-llama"].state, runs["demo-llama"].failures) == ("failed", 3)
    assert runs[MODEL].state == "starting"


def test_the_box_without_its_runs() -> None:
    status = {"instances": [{"model": "m", "state": "failed"}], "restarts": {"m": 4}}
    assert without_runs(status) == BoxState()
    guard = {**status, "guard": {"enabled": True, "running": True}}
    assert without_runs(guard) == replace(BoxState(), guard_wanted=True, guarded=True)
