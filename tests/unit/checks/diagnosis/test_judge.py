"""All checks together: who is heard, and in which order."""

import pytest

from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis import judge as module
from sparkwell.checks.diagnosis.judge import judge
from sparkwell.checks.logs.digest import digest
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.run_parts import Run
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Severity

NOTHING = Snapshot(0.0, "test")
ERROR, WARNING, INFO, OK = Severity.ERROR, Severity.WARNING, Severity.INFO, Severity.OK


def check(id_: str, *about: str | None, severity: Severity = ERROR, general: bool = False) -> Check:
    found = [Finding(id_, severity, f"{id_} of {each}", about=each) for each in about]
    return Check(id_, "?", lambda _: found, general=general)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> "Heard":
    return Heard(monkeypatch)


class Heard:
    """What is heard of some checks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch

    def __call__(self, *checks: Check) -> list[tuple[str, str | None]]:
        self._patch.setattr(module, "CHECKS", checks)
        return [(each.id, each.about) for each in judge(NOTHING)]


def test_a_general_check_is_heard_where_no_other_explains_the_error(heard: Heard) -> None:
    died = check("died", "a", "b", general=True)
    assert heard(died, check("oom", "a")) == [("oom", "a"), ("died", "b")]


def test_a_warning_explains_no_error(heard: Heard) -> None:
    died = check("died", "a", general=True)
    assert ("died", "a") in heard(died, check("slow", "a", severity=WARNING))


def test_of_two_general_checks_the_first_is_heard(heard: Heard) -> None:
    died, failed = check("died", "a", "a", general=True), check("failed", "a", "b", general=True)
    assert heard(died, failed) == [("died", "a"), ("failed", "b")]


def test_the_worst_stands_first_and_each_stands_once(heard: Heard) -> None:
    fine, note, bad = (check("c", None, severity=each) for each in (OK, INFO, ERROR))
    assert heard(fine, note, bad, bad) == [("c", None)] * 3
    assert [each.severity for each in judge(NOTHING)] == [ERROR, INFO, OK]


def test_an_error_that_nobody_knows_is_told_once() -> None:
    """By the log's last words, and not also by the run's having failed."""
    lines = [
        "(EngineCore pid=7) Traceback (most recent call last):",
        '(EngineCore pid=7)   File "/x.py", line 1, in f',
        "(EngineCore pid=7) ValueError: the moon is full",
        "(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above.",
    ]
    log = LogDigest("m-1", digest(lines, "m-1").lines, instance="m-1", model="m")
    run = Run("m-1", "m", "failed", error="the engine ended by itself")
    found = judge(Snapshot(0.0, "test", logs=(log,), runs=(run,)))
    assert [each.id for each in found if each.severity is ERROR] == ["engine-core-died"]


def test_a_check_that_is_broken_hides_no_other(heard: Heard) -> None:
    def raises(_snapshot: Snapshot) -> list[Finding]:
        raise OverflowError("a word of somebody's")

    assert heard(Check("bad", "?", raises), check("oom", "a")) == [
        ("oom", "a"), ("not-looked-at", None)
    ]  # fmt: skip
    told = judge(NOTHING)[-1]
    assert "bad" in told.title
    assert told.evidence[0].startswith("OverflowError (test_judge.py:")
    assert "somebody" not in repr(told)


def test_readings_that_nobody_has_break_no_diagnosis() -> None:
    """A snapshot from elsewhere may have any number in it."""
    log = digest([f"ValueError: {BLOCKS}"], "a.log")
    odd = Run("a-1", "a", "failed", failures=9, held_until=float("inf"))
    found = {each.id for each in judge(Snapshot(float("nan"), "t", runs=(odd,), logs=(log,)))}
    assert "kv-cache-none" in found


BLOCKS = "No available memory for the cache blocks. Try increasing"
