"""Which tuning a command means: one that begins, or one that goes on."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.app.tuning.simulated import H100, wish

from sparkwell.app.paths import find_paths
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import Settings
from sparkwell.app.tuning import keeping
from sparkwell.app.tuning.document import Outcome, Tuning
from sparkwell.app.tuning.resuming import longest, opened
from sparkwell.catalog.catalog import load_catalog
from sparkwell.core.errors import UsageError


def open_(
    folder: Path, *, resume: bool = False, state: Path | None = None, **changes: Any
) -> tuple[Path, Tuning]:
    return opened(folder, wish(**changes), H100, 8192, resume=resume, state=state)


def kept(folder: Path, outcome: Outcome | None = None) -> Path:
    file, tuning = open_(folder)
    tuning.outcome = outcome
    keeping.save(file, tuning)
    return file


def test_one_that_begins_has_a_file_of_its_own(tmp_path: Path) -> None:
    file, tuning = open_(tmp_path)
    assert file == tmp_path / f"{tuning.id}.json"
    assert (tuning.model, tuning.trials) == ("qwen3-8b-fp8", [])
    state = tmp_path / "elsewhere" / "s.json"
    assert open_(tmp_path, state=state)[0] == state


def test_resume_takes_the_newest_that_was_not_finished(tmp_path: Path) -> None:
    file = kept(tmp_path)
    again, tuning = open_(tmp_path, resume=True)
    assert (again, tuning) == (file, keeping.load(file))


def test_without_one_that_waits_it_says_so(tmp_path: Path) -> None:
    kept(tmp_path, Outcome("done"))
    with pytest.raises(UsageError, match="No tuning of qwen3-8b-fp8 for throughput waits"):
        open_(tmp_path, resume=True)
    with pytest.raises(UsageError, match=r"There is no .*x\.json to go on with"):
        open_(tmp_path, resume=True, state=tmp_path / "x.json")


LAST = {"workload": "512 in", "figure": "output_tokens_per_s", "verdict": "no difference shown"}
UNSHOWN = Outcome("The gain was not shown.", 3, holds=False, gains=[LAST], repeats=2)


def test_with_repeats_for_the_check_one_that_did_not_hold_is_gone_on_with(tmp_path: Path) -> None:
    file = kept(tmp_path, UNSHOWN)
    again, tuning = open_(tmp_path, resume=True, check_repeats=4)
    assert (again, tuning.outcome, tuning.check_repeats) == (file, None, 4)
    assert tuning.earlier == [UNSHOWN]
    said = "Trial 3 was checked, 2 repeats: the gain was not shown (no difference shown on 512 in)."
    assert UNSHOWN.briefly("was checked") == said


def test_the_newest_of_both_is_taken(tmp_path: Path) -> None:
    """What somebody was told of last, and not a search that was forgotten long ago."""
    old, tuning = open_(tmp_path)
    keeping.save(old.with_stem(f"20000101-{tuning.model}-{tuning.goal}"), tuning)
    newer = kept(tmp_path, UNSHOWN)
    assert open_(tmp_path, resume=True, check_repeats=4)[0] == newer
    assert open_(tmp_path, resume=True)[0].stem.startswith("20000101")


def test_the_same_repeats_are_not_measured_twice(tmp_path: Path) -> None:
    file, tuning = open_(tmp_path, check_repeats=4)
    tuning.outcome = UNSHOWN
    keeping.save(file, tuning)
    with pytest.raises(UsageError, match="waits to be gone on with"):
        open_(tmp_path, resume=True, check_repeats=4)
    _, same = open_(tmp_path, state=file)
    assert (same.outcome, same.check_repeats) == (UNSHOWN, 4), "an omitted option changes nothing"


@pytest.mark.parametrize("by_state", [True, False])
def test_one_that_held_is_not_checked_until_it_does_not(tmp_path: Path, by_state: bool) -> None:
    held = Outcome("The gain holds.", 3, holds=True, gains=[LAST])
    file = kept(tmp_path, held)
    if by_state:
        assert open_(tmp_path, state=file, check_repeats=4)[1].outcome == held
        return
    with pytest.raises(UsageError, match="waits to be gone on with"):
        open_(tmp_path, resume=True, check_repeats=4)


@pytest.mark.parametrize(
    "changes",
    [{"budget_s": 7200.0}, {"most_trials": 20}, {"check_repeats": 5}],
    ids=["more time", "more trials", "a better check"],
)
def test_with_more_of_either_the_search_goes_on(tmp_path: Path, changes: dict[str, Any]) -> None:
    file = kept(tmp_path, Outcome("done"))
    _, same = open_(tmp_path, state=file, command="again")
    assert (same.outcome, same.command) == (Outcome("done"), "tune")
    _, more = open_(tmp_path, state=file, command="again", **changes)
    assert (more.outcome, more.command) == (None, "again")
    assert {name: getattr(more, name) for name in changes} == changes


def test_another_question_is_another_tuning(tmp_path: Path) -> None:
    file = kept(tmp_path)
    with pytest.raises(UsageError, match="was begun with another goal, clients"):
        open_(tmp_path, state=file, goal="latency", clients=8)


def test_the_longest_sequence_is_that_of_the_flags_from_before() -> None:
    settings = Settings.model_validate(
        {"models": {"qwen3-8b-fp8": {"flags": {"max_model_len": 4096}}}}
    )
    models = ModelService(find_paths({"SPARKWELL_HOME": "/nowhere"}), settings, load_catalog(), {})
    models.planning.__dict__["here"] = H100
    assert longest(models, wish()) == 4096
    assert longest(models, wish(given={"max_model_len": 2048})) == 2048
    assert longest(models, wish(model="no-such-model")) is None
