"""A start that failed before one that went well, in one log: worth knowing, and no error."""

from dataclasses import replace

import pytest
from tests.unit.checks.diagnosis.corpus import DATA, said

from sparkwell.checks.diagnosis.cured import EARLIER, without_failed_starts
from sparkwell.checks.diagnosis.judge import judge
from sparkwell.checks.logs.digest import digest
from sparkwell.checks.run_parts import Run
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Severity

SPEAKER = "(APIServer pid=1) INFO 08-20 02:11:05 [api_server.py:2066] "
STARTS = f"{SPEAKER}vLLM API server version 0.28.0"
ARGS = f"{SPEAKER}non-default args: {{'model_tag': 'Qwen/Qwen3-8B', 'port': 8000}}"
OTHER = f"{SPEAKER}non-default args: {{'model_tag': 'Qwen/Qwen3-32B', 'port': 8000}}"
SERVES = "(APIServer pid=1) INFO:     Application startup complete."
ENGINE = "(EngineCore pid=72) ERROR 08-20 02:13:17 [core.py:1147] "
NONE = f"{ENGINE}ValueError: No available memory for the cache blocks. Try increasing"
LONG = (
    f"{ENGINE}ValueError: User-specified max_model_len (99) is greater than the derived "
    "max_model_len (max_position_embeddings=9 or model_max_length=None in model's config.json)"
)
OUT = f"{ENGINE}torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
DIED = f"{ENGINE}EngineCore encountered a fatal error."
ODD = f"{ENGINE}KeyError: 'nobody knows this'"
FAILED = [STARTS, ARGS, NONE]
WELL = [STARTS, ARGS, SERVES]


def heard(*lines: str) -> list[tuple[str, Severity]]:
    return [(each.id, each.severity) for each in said("\n".join(lines).encode())]


ERROR, WARNING = Severity.ERROR, Severity.WARNING


def test_a_start_that_failed_before_one_that_went_well_is_a_warning() -> None:
    (found,) = said("\n".join((*FAILED, *WELL)).encode())
    assert (found.id, found.severity) == ("kv-cache-none", WARNING)
    assert found.title.startswith(EARLIER)
    assert found.evidence
    assert found.remedies


def test_many_of_them_are_no_crash_loop_any_more() -> None:
    assert ("crash-loop", ERROR) in heard(*FAILED * 4)
    assert dict(heard(*FAILED * 4, *WELL)) == {"kv-cache-none": WARNING, "crash-loop": WARNING}


@pytest.mark.parametrize(
    "lines",
    [
        [*WELL, *FAILED],
        [*FAILED, STARTS, ARGS],  # it is still starting
        [*FAILED, *WELL, NONE],
        [STARTS, ARGS, SERVES, NONE, *WELL],  # it served before: it may do so again
        [STARTS, OTHER, NONE, *WELL],  # two models in one log
        [STARTS, NONE, *WELL],  # nobody knows whose start it was
    ],
)
def test_what_is_not_cured_stays_an_error(lines: list[str]) -> None:
    assert ("kv-cache-none", ERROR) in heard(*lines)


def test_a_death_after_it_is_not_hidden_by_what_was_cured() -> None:
    found = heard(*FAILED, *WELL, ODD, DIED)
    assert ("engine-core-died", ERROR) in found
    assert ("kv-cache-none", WARNING) in found


def test_of_several_errors_those_that_stay_are_told_as_before() -> None:
    found = heard(STARTS, ARGS, LONG, *WELL, OUT, DIED)
    assert ("cuda-oom", ERROR) in found
    assert ("max-model-len-too-large", WARNING) in found


def test_of_very_many_starts_nothing_is_left_out() -> None:
    """Of those between only the number was kept."""
    log = digest([*FAILED * 400, *WELL], "a.log")
    assert without_failed_starts(log) is log


def test_a_log_of_one_start_is_left_as_it_is() -> None:
    log = digest(WELL, "a.log")
    assert without_failed_starts(log) is log


def test_a_log_of_two_good_starts_is_left_as_it_is() -> None:
    log = digest([*WELL, *WELL], "a.log")
    assert without_failed_starts(log) is log


def of_model(*runs: Run) -> dict[str, Severity]:
    """What is said where the log of a first failure is kept beside that of the run of now."""
    first = replace(digest(FAILED, "a-1"), instance="a-1", model="a")
    now = replace(digest(WELL, "a-2"), instance="a-2", model="a")
    found = judge(Snapshot(0.0, "test", runs=runs, logs=(first, now)))
    return {each.id: each.severity for each in found if each.severity is not Severity.OK}


@pytest.mark.parametrize("state", ["ready", "asleep"])
def test_the_first_failure_of_a_model_that_serves_is_a_warning(state: str) -> None:
    assert of_model(Run("a-2", "a", state, failures=1)) == {"kv-cache-none": WARNING}


def test_three_of_them_are_one_too() -> None:
    found = of_model(Run("a-2", "a", "ready", failures=3, first_reason="boom"))
    assert found == {"kv-cache-none": WARNING, "crash-loop": WARNING}


@pytest.mark.parametrize(
    "run",
    [
        Run("a-2", "a", "starting", failures=1),
        Run("a-2", "a", "failed", failures=1, error="x"),
        Run("a-1", "a", "ready"),
        Run("b-2", "b", "ready"),
    ],
)
def test_of_one_that_does_not_serve_it_is_an_error(run: Run) -> None:
    assert of_model(run)["kv-cache-none"] is ERROR


def test_a_real_failure_alone_is_an_error() -> None:
    data = DATA / "written/memory-startup-check-spark-0.10.2.log"
    assert ("memory-startup-check", ERROR) in heard(data.read_text())
