"""What a tuning ends with."""

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.app.tuning.simulated import Run, SimulatedRig

from sparkwell.app.tuning.budget import check_repeats, check_s, trial_s
from sparkwell.app.tuning.document import Outcome, Tuning
from sparkwell.app.tuning.overlay import overlay
from sparkwell.bench.workload import Workload
from sparkwell.core.errors import UsageError
from sparkwell.tune.trial import End, Trial


def test_it_has_the_flags_those_from_before_and_what_was_measured() -> None:
    tuning = Run(SimulatedRig(), profile="guide").go()
    found = overlay(tuning)
    assert (found.recipe, found.goal, found.machine) == ("qwen3-8b-fp8", "throughput", "h100-80gb")
    assert found.profile == "tuned-throughput"
    assert (found.before["max_num_seqs"], found.before_profile) == (64, "guide")
    assert int(str(found.flags["max_num_seqs"])) >= 192
    assert found.evidence.trials == 13
    assert [each.tuned_on for each in found.evidence.rows] == [True, False, False]
    assert all(each.ratio and each.ratio > 1 for each in found.evidence.rows)


def test_what_nobody_answered_has_no_figure_also_out_of_its_file() -> None:
    tuning = Run(SimulatedRig(), most_trials=4).go()
    assert tuning.outcome is not None
    tuning.outcome.gains[0]["before"], tuning.outcome.gains[0]["ratio"] = float("inf"), None
    kept = msgspec.json.decode(msgspec.json.encode(tuning), type=Tuning)
    for each in (tuning, kept):
        row = overlay(each).evidence.rows[0]
        assert (row.before, row.ratio) == (None, None)


def test_weights_that_are_dummies_are_not_served() -> None:
    tuning = Run(SimulatedRig(), given={"load_format": "dummy", "enforce_eager": True}).go()
    found = overlay(tuning)
    assert found.flags["enforce_eager"] is True
    assert "load_format" not in {*found.flags, *found.before}
    assert any("dummies" in note for note in found.evidence.notes)


def test_where_nothing_was_checked_there_is_none() -> None:
    tuning = Run(SimulatedRig(), most_trials=1).go()
    tuning.outcome = Outcome("None of 1 other starts did better.", winner=0)
    with pytest.raises(UsageError, match="nothing to apply"):
        overlay(tuning)


def trial(end: End, start_s: float, measure_s: float) -> Trial:
    return Trial(number=0, values={}, end=end, at=0.0, start_s=start_s, measure_s=measure_s)


LOADS = (Workload(512, 256), Workload(128, 1024), Workload(8320, 128, document_tokens=8192))


def test_time_is_what_whole_trials_took() -> None:
    trials = [trial("measured", 60, 20), trial("measured", 80, 40), trial("failed", 500, 0)]
    assert trial_s(trials) == 100


def test_the_check_takes_as_much_longer_as_its_answers_are() -> None:
    """1 + 4 + 0.5 times the 15 s of a repeat, twice three of them, and two starts."""
    trials = [trial("measured", 60, 20), trial("measured", 80, 40)]
    assert check_s(trials, 2, LOADS, 3) == 2 * (70 + 15 * 5.5 * 3)


def test_of_a_ladder_one_step_is_checked() -> None:
    steps = replace(trial("measured", 60, 150), figures=[{}] * 5)
    assert check_s([steps], 1, LOADS[:1], 3) == 2 * (60 + 30 * 3)


def test_a_long_check_has_fewer_repeats() -> None:
    trials = [trial("measured", 60, 30)]
    assert check_repeats(trials, 2, LOADS, 3600) == 3
    assert check_repeats(trials, 2, LOADS, 1000) == 2


def test_before_the_first_nobody_knows_what_it_takes() -> None:
    broken_off = [trial("failed", 500, 0)]
    for trials in ([], broken_off):
        assert (trial_s(trials), check_s(trials, 2, LOADS, 3)) == (None, None)
        assert check_repeats(trials, 2, LOADS, 1) == 3
