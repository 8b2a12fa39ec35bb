"""What a tuning brings back, also one that goes on where another was killed."""

from pathlib import Path

import pytest

from sparkwell.cli.earlier import Earlier
from sparkwell.cli.tune.before import BEGINS_WITHIN_S, Before, BeforeFile, right
from sparkwell.core.errors import EnvironmentFault

GIVEN = {"flags": ["max_num_seqs=3"], "profile": None}
TRIALS = {"flags": ["max_num_seqs=64"], "profile": None}
KILLED = Before("m", daemon=False, started=1000.0)


def test_the_first_call_takes_what_runs_now() -> None:
    assert right("m", None, Earlier(daemon=False)) == Before("m", daemon=False)
    assert right("m", None, Earlier(daemon=True, given=GIVEN)) == Before("m", True, GIVEN)


@pytest.mark.parametrize("began", [1000.0, 1000.0 + BEGINS_WITHIN_S, None])
def test_what_a_killed_one_left_running_is_not_what_ran_before(began: float | None) -> None:
    now = Earlier(daemon=True, given=TRIALS, started_at=began)
    assert right("m", KILLED, now) == KILLED


def test_what_is_gone_since_is_brought_back() -> None:
    kept = Before("m", True, GIVEN, 1000.0)
    assert right("m", kept, Earlier(daemon=False)) == kept


@pytest.mark.parametrize("began", [999.0, 1001.0 + BEGINS_WITHIN_S])
def test_what_somebody_started_since_counts(began: float) -> None:
    now = Earlier(daemon=True, given=GIVEN, started_at=began)
    assert right("m", KILLED, now) == Before("m", True, GIVEN)


def test_what_runs_where_none_was_started_yet_counts() -> None:
    now = Earlier(daemon=True, given=GIVEN, started_at=1000.0)
    assert right("m", Before("m", daemon=True), now) == Before("m", True, GIVEN)


def test_a_daemon_that_somebody_runs_is_not_ended() -> None:
    assert right("m", KILLED, Earlier(daemon=True, served=True)).daemon


def test_the_note_is_of_one_model_and_knows_the_last_start(tmp_path: Path) -> None:
    note = BeforeFile(tmp_path)
    assert note.of("m") is None
    note.starting("m")
    assert note.of("m") is None, "nobody asked for it"
    note.keep(Before("m", daemon=True, given=GIVEN))
    note.starting("m")
    kept = note.of("m")
    assert kept is not None
    assert (kept.given, kept.started is not None) == (GIVEN, True)
    assert note.of("other") is None
    note.clear()
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_note_is_none(tmp_path: Path) -> None:
    (tmp_path / "ran-before").write_text("[]")
    assert BeforeFile(tmp_path).of("m") is None


def test_one_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(EnvironmentFault, match="could not be written"):
        BeforeFile(tmp_path / "taken").keep(KILLED)
