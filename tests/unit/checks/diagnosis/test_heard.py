"""Where words are heard: in logs, and in the errors of runs."""

import re

from tests.unit.checks.diagnosis.ask import of_log

from sparkwell.checks.diagnosis.platform.heard import hear
from sparkwell.checks.run_parts import Run, RunEnd
from sparkwell.checks.snapshot import Snapshot

WORD = re.compile(r"exec format error")
FAILED = Run("r1", "qwen", "failed", error="exec /bin/vllm: exec format error")


def test_a_log_is_heard_once_however_often_it_says_it() -> None:
    [heard] = hear(of_log("one\nexec format error\nexec format error"), WORD)
    assert (heard.about, heard.line and heard.line.number) == ("a.log", 2)


def test_the_line_of_code_that_raises_it_is_not_the_error() -> None:
    log = (
        'Traceback:\n    raise OSError(f"exec format error: {why}")\nOSError: exec format error: x'
    )
    [heard] = hear(of_log(log), WORD)
    assert heard.evidence == ("a.log, line 3: OSError: exec format error: x",)


def test_a_run_that_failed_is_heard_without_a_log() -> None:
    [heard] = hear(Snapshot(0.0, "test", runs=(FAILED,)), WORD)
    assert (heard.about, heard.model, heard.log) == ("qwen", "qwen", None)
    assert heard.evidence == ("r1: exec /bin/vllm: exec format error",)


def test_the_reason_of_the_end_and_the_first_failure_count_too() -> None:
    ended = Run("r2", "q", "ended", end=RunEnd(0.0, 1, reason="exec format error"))
    first = Run("r3", "q", "failed", first_reason="exec format error", error="gave up")
    heard = list(hear(Snapshot(0.0, "test", runs=(ended, first)), WORD))
    assert [each.evidence[0] for each in heard] == [
        "r2: exec format error",
        "r3: exec format error",
    ]


def test_a_run_that_serves_is_well_whatever_it_said_before() -> None:
    ready = Run("r1", "qwen", "ready", first_reason="exec format error")
    assert list(hear(Snapshot(0.0, "test", runs=(ready,)), WORD)) == []
