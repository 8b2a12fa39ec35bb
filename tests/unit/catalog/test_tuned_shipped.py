"""The overlays that come with Sparkwell say what the tunings beside the runs measured."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Planning, Wish
from sparkwell.app.tuning import keeping
from sparkwell.app.tuning.document import Tuning
from sparkwell.app.tuning.overlay import overlay
from sparkwell.catalog.catalog import load_catalog
from sparkwell.catalog.tuned import Tuned
from sparkwell.catalog.tuned_files import SHIPPED_TUNED, file_name, load_tuned

Json = dict[str, Any]
ROOT = Path(__file__).parents[3]
RUNS = ROOT / "docs" / "benchmarks" / "runs"
TUNINGS = sorted(RUNS.glob("*-tune-*.json"))
SHIPPED = load_tuned()


def pairs() -> list[tuple[Json, Json]]:
    """Runs of one model that asked the same, the earlier with the flags from before."""
    found: dict[tuple[str, str], list[Json]] = {}
    for file in RUNS.glob("*-pair-*.json"):
        run = json.loads(file.read_text(encoding="utf-8"))
        found.setdefault((run["model"], run["seed"]), []).append(run)
    return [(one, other) for one, other in (sorted(runs, key=_at) for runs in found.values())]


def _at(run: Json) -> float:
    return float(run["at"])


def of_pairs(monkeypatch: pytest.MonkeyPatch) -> list[Tuned]:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    ship_pair = import_module("ship_pair")
    return [ship_pair.overlay(before, after, "guide") for before, after in pairs()]


def test_all_are_right_and_have_a_tuning_or_a_pair_of_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SHIPPED.problems == ()
    files = {file.name for file in SHIPPED_TUNED.glob("*.yaml")}
    found = of_pairs(monkeypatch)
    held = [overlay(each) for each in map(keeping.load, TUNINGS) if has_held(each)]
    assert files == {file_name(each) for each in [*held, *found]}
    assert files
    assert [each for each in found if each not in SHIPPED.overlays] == []


@pytest.mark.parametrize("file", TUNINGS, ids=lambda file: file.stem)
def test_an_overlay_says_what_its_tuning_measured(file: Path) -> None:
    tuning = keeping.load(file)
    is_shipped = overlay(tuning) in SHIPPED.overlays
    assert is_shipped == has_held(tuning), "what does not hold is not for others"


def has_held(tuning: Tuning) -> bool:
    return tuning.outcome is not None and tuning.outcome.holds is True


@pytest.mark.parametrize("tuned", SHIPPED.overlays, ids=file_name)
def test_it_is_a_profile_of_its_machine(tuned: Tuned, tmp_path: Path) -> None:
    planning = Planning(find_paths({"SPARKWELL_HOME": str(tmp_path)}), load_catalog(), {})
    wish = Wish(hardware=tuned.machine, version=tuned.version, profile=tuned.profile)
    plan = planning.plan(tuned.recipe, wish)
    assert plan.fits
    assert {name: plan.question.flags[name] for name in tuned.flags} == tuned.flags


@pytest.mark.parametrize("tuned", SHIPPED.overlays, ids=file_name)
def test_nothing_of_a_host_is_in_it(tuned: Tuned) -> None:
    assert not {"load_format", "download_dir", "trust_remote_code"} & {*tuned.flags, *tuned.before}
    assert "/" not in tuned.evidence.command
