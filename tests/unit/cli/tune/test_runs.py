"""`sparkwell tune apply` and what `show` says after it."""

import errno
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.app.tuning.simulated import Flags, Run, SimulatedRig

from sparkwell.app.paths import find_paths
from sparkwell.app.tuning import keeping
from sparkwell.app.tuning.document import Tuning
from sparkwell.bench.suites import Case
from sparkwell.catalog.tuned_files import load_tuned
from sparkwell.cli.main import cli
from sparkwell.core.errors import UsageError


def only_short(flags: Flags, case: Case) -> float:
    """Many sequences gain with short answers, and lose with long ones."""
    gain = 2.0 if case.workload.output_tokens == 256 else 0.5
    return 100.0 * (gain if int(flags["max_num_seqs"]) > 64 else 1.0)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a tuning whose gain did not hold."""
    monkeypatch.setenv("SPARKWELL_HOME", str(tmp_path))
    tuning = Run(SimulatedRig(only_short)).go()
    keeping.save(find_paths({"SPARKWELL_HOME": str(tmp_path)}).tunings / "t.json", tuning)
    return tmp_path


def said(*words: str) -> str:
    done = CliRunner().invoke(cli, ["tune", *words])
    assert done.exit_code == 0, done.output
    return done.output


def kept(home: Path) -> Tuning:
    return keeping.load(find_paths({"SPARKWELL_HOME": str(home)}).tunings / "t.json")


def test_what_is_applied_all_the_same_is_recorded(home: Path) -> None:
    assert "Nothing was changed" in said("show")
    spent_s = kept(home).spent_s
    applied = said("apply")
    [file] = find_paths({"SPARKWELL_HOME": str(home)}).tuned.glob("*.yaml")
    assert f"Kept as {file}." in applied
    assert load_tuned([file.parent]).problems == ()
    shown = said("show")
    assert "Nothing was changed" not in shown
    assert f"Kept as {file}. Use it: `sparkwell up qwen3-8b-fp8" in shown
    assert "The gain does not hold." in shown
    assert kept(home).spent_s == spent_s


def test_flags_of_the_settings_that_win_over_it_are_named(home: Path) -> None:
    config = find_paths({"SPARKWELL_HOME": str(home)}).config
    config.mkdir(parents=True, exist_ok=True)
    (config / "sparkwell.yaml").write_text("models: {qwen3-8b-fp8: {flags: {max_num_seqs: 2}}}\n")
    said("apply")
    assert "max_num_seqs: 2 under models, qwen3-8b-fp8, flags, and win" in said("show")


def test_what_is_not_finished_is_not_applied(home: Path) -> None:
    tuning = kept(home)
    tuning.outcome = None
    keeping.save(find_paths({"SPARKWELL_HOME": str(home)}).tunings / "t.json", tuning)
    done = CliRunner().invoke(cli, ["tune", "apply"])
    assert isinstance(done.exception, UsageError)
    assert "is not finished" in done.exception.message


def test_where_its_file_takes_nothing_more_the_profile_is_there_all_the_same(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: Path, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(keeping, "write_whole", full)
    told = said("apply")
    assert "could not be written" in told
    assert list(find_paths({"SPARKWELL_HOME": str(home)}).tuned.glob("*.yaml"))
