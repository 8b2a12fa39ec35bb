"""What runs, as supervisor and store tell it: failures in a row, silence, starts that stall."""

from dataclasses import replace

import pytest

from sparkwell.checks.box import BoxState
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.judge import judge
from sparkwell.checks.diagnosis.running.crash_loop import CHECK as LOOP
from sparkwell.checks.diagnosis.running.engine_hung import CHECK as HUNG
from sparkwell.checks.diagnosis.running.load_stalled import CHECK as STALLED
from sparkwell.checks.diagnosis.running.model_failed import CHECK as FAILED
from sparkwell.checks.logs.digest import digest
from sparkwell.checks.run_parts import Run, RunEnd
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Severity

NOW = 10_000.0
READY = Run("m-1", "m", "ready", phase="ready")
STARTING = Run(
    "m-1", "m", "starting", phase="weights", phase_since=NOW - 400, phase_longest_s=130.0
)


def said(check: Check, run: Run) -> list[Finding]:
    return list(check.look(Snapshot(NOW, "test", runs=(run,))))


def test_a_row_of_failures_names_the_first() -> None:
    run = replace(READY, state="failed", failures=3, restarts=2, first_reason="CUDA error",
                  error="no memory", held_until=NOW + 600)  # fmt: skip
    [finding] = said(LOOP, run)
    assert (finding.severity, finding.about) == (Severity.ERROR, "m")
    assert "first: CUDA error" in finding.evidence
    assert "left alone for 10 more minutes" in finding.evidence
    assert "no memory" not in " ".join(finding.evidence)
    assert finding.remedies[0].command == "sparkwell logs m --first-failure"


def test_one_failure_is_not_failures() -> None:
    [finding] = said(LOOP, replace(READY, state="failed", failures=1, restarts=3))
    assert finding.evidence[:2] == ("1 failure in a row", "3 restarts in the last hour")


def test_many_restarts_are_a_warning_and_few_are_nothing() -> None:
    [finding] = said(LOOP, replace(READY, restarts=3))
    assert finding.severity is Severity.WARNING
    assert said(LOOP, replace(READY, restarts=2, failures=2)) == []


def test_silence_is_hung_once_it_lasts() -> None:
    [finding] = said(HUNG, replace(READY, silent_s=75.0))
    assert finding.evidence == ("no answer to a request for one token for 75 s",)
    assert said(HUNG, replace(READY, silent_s=40.0)) == []
    assert said(HUNG, READY) == []


def test_one_that_was_ended_because_it_hung() -> None:
    ended = replace(READY, state="failed", error="it hung: the engine says that it is healthy")
    assert said(HUNG, ended)
    assert said(HUNG, replace(ended, error="it was slow")) == []


@pytest.mark.parametrize(
    ("run", "stalls"),
    [
        (STARTING, True),  # 400 s against 3 x 130
        (replace(STARTING, phase_longest_s=140.0), False),
        (replace(STARTING, phase_longest_s=2.0, phase_since=NOW - 59), False),
        (replace(STARTING, phase_longest_s=2.0, phase_since=NOW - 61), True),
        (replace(STARTING, phase_longest_s=None), False),  # nobody knows: half an hour
        (replace(STARTING, phase_longest_s=None, phase_since=NOW - 1801), True),
        (replace(STARTING, phase="compile", phase_longest_s=None, phase_since=NOW - 901), True),
        (replace(STARTING, phase="download", phase_since=NOW - 9000), False),
        (replace(STARTING, phase="queue", phase_since=NOW - 9000), False),
        (replace(STARTING, phase="of a newer release"), False),
        (replace(STARTING, phase_since=None), False),
        (replace(STARTING, state="failed"), False),
        (replace(STARTING, state="ready", phase="ready"), False),
    ],
)
def test_a_start_that_gets_nowhere(run: Run, stalls: bool) -> None:
    assert bool(said(STALLED, run)) is stalls


def test_a_stalled_start_shows_its_last_line() -> None:
    [finding] = said(STALLED, replace(STARTING, last_line="Loading shards: 14%"))
    assert finding.title == "The start of m gets nowhere: loading weights"
    assert finding.evidence == (
        "loading weights: for 400 s; before: 130 s at most",
        "its last line: Loading shards: 14%",
    )


def test_a_failure_that_nothing_explains_is_told_as_it_is() -> None:
    run = replace(READY, state="failed", error="the disk is gone", hint="Look at it.")
    [finding] = said(FAILED, run)
    assert (finding.cause, finding.about) == ("the disk is gone", "m")
    assert finding.remedies[0].text == "Look at it."
    assert said(FAILED, replace(run, end=RunEnd(NOW, code=1))) == []  # it had an engine, which died


def test_a_failure_that_its_log_explains_is_told_once() -> None:
    words = "ValueError: No available memory for the cache blocks. Try increasing"
    log = replace(digest([words], "m-1"), instance="m-1", model="m")
    run = replace(READY, state="failed", error=words)
    found = judge(Snapshot(NOW, "test", runs=(run,), logs=(log,), box=BoxState()))
    assert [each.id for each in found] == ["kv-cache-none"]
    [alone] = judge(Snapshot(NOW, "test", runs=(run,)))
    assert alone.id in ("model-failed", "engine-core-died")
