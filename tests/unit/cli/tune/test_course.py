"""A call of `sparkwell tune` beside another."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.unit.app.tuning.simulated import Run, SimulatedRig

from sparkwell.cli.alone import alone_here
from sparkwell.cli.context import Context
from sparkwell.cli.tune import course as module
from sparkwell.cli.tune.before import Before, BeforeFile
from sparkwell.cli.tune.course import Course


@pytest.fixture
def brought(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that were brought back."""
    found: list[str] = []
    monkeypatch.setattr(module, "bring_back", lambda _, model, __: found.append(model))
    return found


def made(home: Path) -> tuple[Course, BeforeFile]:
    """A call for a tuning that is done, and the note that a killed one has left."""
    context = Context({"SPARKWELL_HOME": str(home)}, None, (), system=False)
    tuning = Run(SimulatedRig()).tuning
    context.paths.tunings.mkdir(parents=True)
    note = BeforeFile(context.paths.tunings, tuning.model)
    note.keep(Before(tuning.model, daemon=False))
    return Course(context, home / "t.json", tuning, quiet=True), note


def test_what_was_left_is_brought_back_once(tmp_path: Path, brought: list[str]) -> None:
    course, note = made(tmp_path)
    course.make_good()
    course.make_good()
    assert brought == ["qwen3-8b-fp8"]
    assert note.read() is None


def test_what_another_call_has_brought_back_meanwhile_is_left(
    tmp_path: Path, brought: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the note and the lock: what runs now would be started once more."""
    course, note = made(tmp_path)
    real = alone_here

    @contextmanager
    def after_another(folder: Path) -> Iterator[None]:
        with real(folder):
            note.clear()
            yield

    monkeypatch.setattr(module, "alone_here", after_another)
    course.make_good()
    assert brought == []
    assert note.read() is None
