"""What a start took: of the daemon's status, of the store, of the memory."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.app.verifying.parts import plan

from sparkwell.app.paths import find_paths
from sparkwell.app.verifying.looking import held_bytes, modelled, started, system_of
from sparkwell.hardware.detect import read_facts
from sparkwell.hardware.samples import GpuSample, MachineSample
from sparkwell.planner.memory import Calibration
from sparkwell.planner.pace import AS_MODELLED
from sparkwell.store import Starts, open_database
from sparkwell.store.record import machine_key
from sparkwell.store.starts import StartRecord

GIB = 1024**3


def instance(**others: Any) -> dict[str, Any]:
    phases = {"queue": 1.0, "launch": 3.0, "weights": 13.0, "ready": 15.5}
    known = {
        "id": "m-1", "model": "m", "engine": "vllm", "engine_version": "0.25.0",
        "start_s": 12.5, "phases": phases,
    }  # fmt: skip
    return {**known, **others}


def test_waiting_and_fetching_are_no_part_of_a_start(tmp_path: Path) -> None:
    machine = plan().question.machine
    found = started(find_paths({"SPARKWELL_HOME": str(tmp_path)}), machine, instance())
    assert found.phases == {"launch": 10.0, "weights": 2.5}
    assert (found.seconds, found.kv_cache_tokens) == (12.5, None)


def test_a_start_that_was_not_seen_whole_has_no_times(tmp_path: Path) -> None:
    machine, paths = plan().question.machine, find_paths({"SPARKWELL_HOME": str(tmp_path)})
    found = started(paths, machine, instance(start_s=None))
    assert (found.phases, found.seconds) == ({}, None)


def test_the_store_has_what_that_very_run_took(tmp_path: Path) -> None:
    machine, paths = plan().question.machine, find_paths({"SPARKWELL_HOME": str(tmp_path)})
    paths.make()
    record = StartRecord(
        "m-1", machine_key(machine), 1, "m", None, None, "vllm", "0.25.0", "cuda", "{}",
        5 * GIB, None, 4096, None, 1.0, warm=True,
    )  # fmt: skip
    database = open_database(paths.store)
    Starts(database).add(record)
    database.close()
    found = started(paths, machine, instance())
    assert (found.weights_bytes, found.kv_cache_tokens, found.warm) == (5 * GIB, 4096, True)
    assert started(paths, machine, instance(id="m-2")).kv_cache_tokens is None


def machine_with(used: list[int | None], available: int | None = None) -> MachineSample:
    return MachineSample(
        available_bytes=available, gpus=tuple(GpuSample(used_bytes=each) for each in used)
    )


@pytest.mark.parametrize(
    ("before", "after", "held"),
    [
        (machine_with([100, 50]), machine_with([400, 60]), 310),
        (machine_with([None], 900), machine_with([None], 300), 600),
        (machine_with([], 900), machine_with([], 300), 600),
        (machine_with([], 300), machine_with([], 900), None),
        (machine_with([]), machine_with([]), None),
    ],
)
def test_what_it_holds_is_what_the_memory_in_use_grew_by(
    before: MachineSample, after: MachineSample, held: int | None
) -> None:
    assert held_bytes(before, after) == held


def test_the_models_own_word_is_held_against_what_is_measured() -> None:
    """Else a machine that was measured before would be compared with itself."""
    q = replace(plan().question, calibration=Calibration(1, 2), basis="measured here")
    bare = modelled(q)
    assert (bare.calibration, bare.basis, bare.pace) == (None, "modelled", AS_MODELLED)
    assert bare.flags == q.flags


def test_of_the_kernel_its_version_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.release", lambda: "6.18.44-fc-v657")
    assert system_of(read_facts())["kernel"] == "6.18"
