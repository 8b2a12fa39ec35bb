"""What a tuning brings back, also one that goes on where another was killed."""

import json
from pathlib import Path
from typing import Any

import pytest

from sparkwell.app.launching.flags import StartWish
from sparkwell.app.launching.starter import SET, given_labels
from sparkwell.cli.earlier import Earlier
from sparkwell.cli.tune.before import BEGINS_WITHIN_S, Before, BeforeFile, right
from sparkwell.cli.tune.rig import said
from sparkwell.core.errors import EnvironmentFault
from sparkwell.engines.vllm import read_flag

GIVEN: dict[str, Any] = {"flags": ["max_num_seqs=3"], "profile": None}
TRIALS: dict[str, Any] = {"flags": ["max_num_seqs=64"], "profile": None}
KILLED = Before("m", daemon=False, started=1000.0)
NAMED = Before("m", True, GIVEN, 1000.0, trial=TRIALS["flags"])


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


@pytest.mark.parametrize("began", [999.0, 1001.0 + BEGINS_WITHIN_S, 90_000.0])
def test_a_trial_that_a_service_started_again_is_not_what_ran_before(began: float) -> None:
    """After a reboot it is a new instance, with a start of its own and the trial's flags."""
    now = Earlier(daemon=True, given={**TRIALS, "driver": "process"}, served=True, started_at=began)
    assert right("m", NAMED, now) == NAMED
    others = Earlier(daemon=True, given=GIVEN, started_at=began)
    assert right("m", NAMED, others) == Before("m", True, GIVEN)


def test_the_daemon_may_write_the_trials_flags_otherwise() -> None:
    """It reads values and writes them anew, and shows them as it has them."""
    tried: dict[str, Any] = {"enforce_eager": True, "gpu_memory_utilization": 0.92, "tag": "True"}
    sets = [said(name, value) for name, value in tried.items()]
    labels = given_labels(StartWish(flags=dict(map(read_flag, sets))))
    shown = json.loads(labels[SET])
    now = Earlier(daemon=True, given={"flags": shown, "profile": None}, started_at=90_000.0)
    assert shown != sets
    kept = Before("m", True, GIVEN, 1000.0, trial=sets)
    assert right("m", kept, now) == kept


def test_a_plain_up_may_be_anybodys() -> None:
    """The first trial of a tuning without --set is given no flags, as most are who type `up`."""
    plain: dict[str, Any] = {"flags": [], "profile": None}
    first = Before("m", True, GIVEN, 1000.0, trial=[])
    now = Earlier(daemon=True, given=plain, started_at=90_000.0)
    assert right("m", first, now) == Before("m", True, plain)


def test_what_runs_where_none_was_started_yet_counts() -> None:
    now = Earlier(daemon=True, given=GIVEN, started_at=1000.0)
    assert right("m", Before("m", daemon=True), now) == Before("m", True, GIVEN)


def test_a_daemon_that_somebody_runs_is_not_ended() -> None:
    assert right("m", KILLED, Earlier(daemon=True, served=True)).daemon


def test_the_note_is_of_one_model_and_knows_the_last_start(tmp_path: Path) -> None:
    note = BeforeFile(tmp_path, "m")
    assert note.read() is None
    note.starting(("max_num_seqs=64",))
    assert note.read() is None, "nobody asked for it"
    note.keep(Before("m", daemon=True, given=GIVEN))
    note.starting(("max_num_seqs=64",))
    kept = note.read()
    assert kept is not None
    assert (kept.given, kept.started is not None, kept.trial) == (GIVEN, True, TRIALS["flags"])
    note.clear()
    assert list(tmp_path.iterdir()) == []


def test_each_model_has_its_own_note(tmp_path: Path) -> None:
    """Else a tuning of one would take what ran of the other, which was killed, out of it."""
    one, other = BeforeFile(tmp_path, "m"), BeforeFile(tmp_path, "ollama/m")
    one.keep(KILLED)
    assert other.read() is None
    other.keep(Before("ollama/m", daemon=True))
    assert one.read() == KILLED
    assert {each.name for each in tmp_path.iterdir()} == {"ran-before-m", "ran-before-ollama-m"}
    other.clear()
    assert one.read() == KILLED


def test_a_note_of_another_model_is_none(tmp_path: Path) -> None:
    BeforeFile(tmp_path, "a/m").keep(Before("a/m", daemon=True))
    assert BeforeFile(tmp_path, "a-m").read() is None


def test_a_damaged_note_is_none(tmp_path: Path) -> None:
    (tmp_path / "ran-before-m").write_text("[]")
    assert BeforeFile(tmp_path, "m").read() is None


def test_one_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(EnvironmentFault, match="could not be written"):
        BeforeFile(tmp_path / "taken", "m").keep(KILLED)


def test_what_a_kill_in_the_midst_of_writing_left_is_gone_with_the_note(tmp_path: Path) -> None:
    note = BeforeFile(tmp_path, "a/m")
    note.keep(Before("a/m", daemon=False))
    (tmp_path / ".ran-before-a-m.9qpwn641.tmp").write_bytes(b"{")
    note.clear()
    assert list(tmp_path.iterdir()) == []
