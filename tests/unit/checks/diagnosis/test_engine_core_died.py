"""Deaths that no other check knows."""

from pathlib import Path

import pytest
from tests.unit.checks.diagnosis.ask import asked, of_log

from sparkwell.checks.diagnosis.judge import judge
from sparkwell.checks.diagnosis.platform.engine_core_died import CHECK
from sparkwell.checks.run_parts import Run, RunEnd
from sparkwell.checks.snapshot import Snapshot

FIXTURES = Path("tests/fixtures/logs")
PRE = "(EngineCore pid=7) ERROR 07-21 09:17:50 [core.py:1201] "
TRACE = f"{PRE}EngineCore failed to start.\n{PRE}Traceback (most recent call last):\n{PRE}{{}}\n"
END = "(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above."
LOADING = "(EngineCore pid=7) INFO 07-21 09:17:48 [r.py:1] Starting to load model a/b...\n"
READY = "(APIServer pid=1) INFO:     Application startup complete.\n"
DEAD = (
    "(APIServer pid=1) ERROR 07-21 10:00:00 [c.py:1] vllm.v1.EngineDeadError: EngineCore "
    "encountered an issue. See stack trace (above) for the root cause."
)


@pytest.mark.parametrize(
    ("error", "title"),
    [
        ("KeyError: 'layers.0.weight'", "KeyError: 'layers.0.weight'"),
        ("AssertionError", "AssertionError"),
        (
            "triton.runtime.errors.OutOfResources: out of resource",
            "OutOfResources: out of resource",
        ),
    ],
)
def test_the_first_error_is_the_title_and_the_last_line_before_it_is_shown(
    error: str, title: str
) -> None:
    [finding] = asked(CHECK, LOADING + TRACE.format(error) + END)
    assert finding.title == f"The engine died: {title}"
    assert "Starting to load model" in finding.evidence[0]
    assert "Engine core initialization failed" in finding.evidence[-1]


def test_an_error_that_another_check_knows_is_told_once() -> None:
    known = "RuntimeError: CUDA error: no kernel image is available for execution on the device"
    findings = judge(of_log(LOADING + TRACE.format(known) + END))
    assert [each.id for each in findings] == ["sm121-unsupported"]


def test_what_pydantic_says_below_its_count_is_the_error() -> None:
    error = "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig"
    why = "  Value error, Model architectures ['X'] are not supported for now. [type=value_error]"
    [finding] = asked(CHECK, f"{TRACE.format(error)}{why}\n{END}")
    assert "Value error, Model architectures" in finding.title
    assert any("Value error" in line for line in finding.evidence)


def test_a_process_that_was_killed() -> None:
    line = (
        "ERROR 11-14 09:14:30 [m.py:314] Worker proc VllmWorker-1 died unexpectedly (exit code: -9)"
    )
    [finding] = asked(CHECK, f"{LOADING}{line}\n{END}")
    assert finding.title == "The engine died: its process was ended by signal 9 (SIGKILL)"
    assert "dmesg" in (finding.remedies[0].command or "")


def test_a_library_that_crashes_was_not_ended_from_outside() -> None:
    [killed] = asked(CHECK, "Worker proc W-1 died unexpectedly (exit code: -9), shutting down")
    [crashed] = asked(CHECK, "Fatal Python error: Segmentation fault")
    assert "outside" in (killed.cause or "")
    assert "A library" in (crashed.cause or "")


def test_an_engine_that_dies_while_it_serves() -> None:
    [finding] = asked(CHECK, READY + DEAD)
    assert finding.title == "The engine died without a word"


@pytest.mark.parametrize(
    "log",
    [
        f"{READY}(APIServer pid=1) INFO:     Shutting down\n{DEAD}",
        f"{READY}INFO 07-21 09:59:00 [l.py:1] [shutdown] API server: shutdown triggered\n{DEAD}",
        f"{READY}(APIServer pid=1) ERROR 07-21 10:00:00 [serving.py:2] ValueError: a bad request",
        TRACE.format("ImportError: an optional module") + LOADING,
        TRACE.format("ValueError: of the start before") + READY,
        LOADING,
    ],
    ids=["stopped", "stopped-2026", "one-request", "went-on", "started-again", "still-loads"],
)
def test_an_engine_that_lives_or_was_asked_to_end_is_well(log: str) -> None:
    assert asked(CHECK, log) == []


@pytest.mark.parametrize("file", sorted(FIXTURES.glob("*.log")), ids=lambda file: file.stem)
def test_of_the_recorded_starts_two_died(file: Path) -> None:
    died = "refused" in file.name or "mismatch" in file.name
    assert bool(asked(CHECK, file.read_text())) is died


def _run(**end: object) -> list[str]:
    ended = RunEnd(0.0, **end)  # type: ignore[arg-type]
    run = Run("r1", "m", "ended", last_line="INFO: Loading weights", end=ended)
    return [each.title for each in CHECK.look(Snapshot(0.0, "test", runs=(run,)))]


def test_a_run_without_a_log_that_ended_by_itself() -> None:
    assert _run(code=1, reason="KeyError: 'x'") == ["The engine died: KeyError: 'x'"]
    assert _run(signal="SIGKILL") == ["The engine died: its process was ended by SIGKILL"]


def test_a_failure_whose_process_is_not_known_is_another_checks() -> None:
    run = Run("r1", "m", "failed", error="KeyError: 'x'")
    assert list(CHECK.look(Snapshot(0.0, "test", runs=(run,)))) == []


def test_a_run_that_was_wanted_to_end_or_ended_well() -> None:
    assert _run(signal="SIGTERM", asked=True) == []
    assert _run(code=0) == []
