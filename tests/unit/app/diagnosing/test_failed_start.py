"""Why a run failed: from its log, in time, and without ever being in the way."""

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sparkwell.app.diagnosing import failed_start as module
from sparkwell.app.diagnosing.failed_start import FailedRuns, findings_of
from sparkwell.app.diagnosing.runs import end_of, held_back, run_of, run_of_spec
from sparkwell.checks.logs.digest import digest
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.run_parts import Run
from sparkwell.core.launch import Endpoint, ExitRecord, LaunchSpec
from sparkwell.doctor.run_logs import of_run
from sparkwell.store import BreakerRow
from sparkwell.supervisor.instance import Instance, State
from sparkwell.testing.memory_driver import MemoryDriver

NONE = "ValueError: No available memory for the cache blocks. Try increasing"
RECORD = ExitRecord(1, None, False, 5.0, ("a", NONE))
SPEC = LaunchSpec("m-1", "m", "vllm", "0.25.0", ("true",), Endpoint(uds="/s"),
                  labels={"flags": json.dumps({"max_num_seqs": 4}), "device": "cuda"})  # fmt: skip
STARTING = Instance("m-1", "m", State.STARTING)
RUN = Run("m-1", "m", "failed", error="it ended")


class Driver(MemoryDriver):
    """Knows one run, whose log is a file."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self.log = log

    def knows(self, _instance: str) -> bool:
        return True

    def log_path(self, _instance: str) -> str:
        return str(self.log)


def log(*lines: str) -> LogDigest:
    return of_run(digest(lines, "m-1"), SPEC)


def test_what_the_log_says_is_what_is_found() -> None:
    assert [each.id for each in findings_of(RUN, log("a", NONE), 6.0)] == ["kv-cache-none"]


def test_an_engine_that_ended_without_a_word() -> None:
    for code in (0, 3):
        run = run_of(SPEC, STARTING, ExitRecord(code, None, False, 5.0, ()))
        for nothing in (log(), None):
            [general] = findings_of(run, nothing, 6.0)
            assert general.title == f"The engine died without a word: exit code {code}"
            assert general.remedies[0].command == "sparkwell preflight m"


@pytest.mark.parametrize(
    ("error", "found"),
    [
        ("it was not ready within 1800 s (setting start_timeout_s)", "load-stalled"),
        ("the engine says that it is healthy, but generated nothing within 2 s", "engine-hung"),
        ("the engine answered the first request without a token", "engine-hung"),
        ("the memory guard ended it: 5.1 GiB were left (soft floor)", "host-memory-low"),
    ],
)
def test_a_start_that_the_supervisor_gave_up(error: str, found: str) -> None:
    ended = ExitRecord(0, None, True, 5.0, ("Starting to load model m",))
    run = run_of(SPEC, replace(STARTING, error=error), ended)
    [finding] = findings_of(run, log("Starting to load model m"), 6.0)
    assert (finding.id, finding.about) == (found, "m")
    assert any(error in line for line in finding.evidence)


def test_what_is_only_suspicious_does_not_hide_the_log() -> None:
    moe = "WARNING 11-12 10:00:00 [f.py:1] Using default MoE config. Performance might be"
    assert findings_of(Run("m-1", "m", "ready"), log(moe), 6.0) == ()


def test_a_failure_that_its_row_repeats_is_told_by_others() -> None:
    run = Run("m-1", "m", "failed", error="boom", failures=3, first_reason="boom")
    assert "crash-loop" not in [each.id for each in findings_of(run, None, 6.0)]


async def test_the_log_of_a_run_that_ended_is_read(tmp_path: Path) -> None:
    file = tmp_path / "engine.log"
    file.write_text(f"one\n{NONE}\n")
    failed = FailedRuns(Driver(file), now=lambda: 6.0)
    [finding] = await failed(SPEC, STARTING, RECORD)
    assert (finding.id, finding.about) == ("kv-cache-none", "m")
    assert finding.evidence[0].startswith("m-1, line 2: ")
    file.write_text("")
    assert await failed(SPEC, STARTING, RECORD) == (finding,)  # looked at once


async def test_a_log_that_cannot_be_read_keeps_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "engine.log"
    folder.mkdir()
    assert await FailedRuns(Driver(folder))(SPEC, STARTING, RECORD) == ()
    assert "cannot be looked at" in caplog.text


async def test_who_takes_long_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_of_what: object) -> tuple[()]:
        time.sleep(1.0)
        return ()

    monkeypatch.setattr(module, "LIMIT_S", 0.05)
    monkeypatch.setattr(module, "findings_of", slow)
    (tmp_path / "engine.log").write_text("x\n")
    began = time.monotonic()
    assert await FailedRuns(Driver(tmp_path / "engine.log"))(SPEC, STARTING, RECORD) == ()
    assert time.monotonic() - began < 0.8


async def test_the_loop_goes_on_while_a_log_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_of_what: object) -> tuple[()]:
        time.sleep(0.3)
        return ()

    monkeypatch.setattr(module, "findings_of", slow)
    (tmp_path / "engine.log").write_text("x\n")
    ticks = 0
    looking = asyncio.ensure_future(
        FailedRuns(Driver(tmp_path / "engine.log"))(SPEC, STARTING, RECORD)
    )
    while not looking.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert ticks > 5


async def test_who_stops_waiting_does_not_end_the_look(tmp_path: Path) -> None:
    file = tmp_path / "engine.log"
    file.write_text(f"{NONE}\n")
    failed = FailedRuns(Driver(file))
    first = asyncio.ensure_future(failed(SPEC, STARTING, RECORD))
    await asyncio.sleep(0)
    first.cancel()
    assert len(await failed(SPEC, STARTING, RECORD)) == 1


def test_a_run_as_the_checks_see_it() -> None:
    run = run_of(SPEC, STARTING, RECORD)
    assert (run.state, run.phase, run.engine_version) == ("failed", "launch", "0.25.0")
    assert (run.device, run.driver, run.last_line) == ("cuda", "process", NONE)
    assert run.flags == {"max_num_seqs": 4}
    assert run_of(SPEC, STARTING, None).state == "starting"


@pytest.mark.parametrize("label", ["", "[1]", "null"])
def test_flags_that_are_no_object_are_none(label: str) -> None:
    spec = LaunchSpec("m-1", "m", "vllm", "1", (), Endpoint(uds="/s"), labels={"flags": label})
    assert run_of_spec(spec, "ready").flags == {}


def test_the_kernels_end_is_known_by_its_line() -> None:
    said = "[sparkwell: the kernel ended a process of this container: out of memory]"
    killed = ExitRecord(None, 9, False, 5.0, ("a", said))
    assert end_of(killed).out_of_memory
    assert (end_of(killed).signal, end_of(RECORD).out_of_memory) == ("9", False)


def test_a_row_of_failures_of_which_nothing_else_is_left() -> None:
    run = held_back(BreakerRow("m", 3, 900.0, "boom.", "m-0", ("x", "last")))
    assert (run.id, run.state, run.error, run.last_line) == ("m-0", "failed", "boom", "last")
    assert (run.failures, run.held_until, run.first_reason) == (3, 900.0, "boom.")
