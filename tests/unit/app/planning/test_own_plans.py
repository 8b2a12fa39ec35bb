"""`sparkwell plan` and `sparkwell up` agree: one question, one answer."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sparkwell.app.daemon import back_ends
from sparkwell.app.launching.flags import StartWish
from sparkwell.app.launching.together import shared_out
from sparkwell.app.launching.ways import Way, Ways
from sparkwell.app.paths import find_paths
from sparkwell.app.planning.own_plans import as_started
from sparkwell.app.planning.placing import place_models
from sparkwell.app.planning.planning import Target, Wish
from sparkwell.app.preflight.plan import summary_of
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import Settings
from sparkwell.catalog import load_catalog
from sparkwell.cli.main import cli
from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.units import GIB
from sparkwell.drivers.environments import Installed
from sparkwell.hardware import detect
from sparkwell.hardware.description import find_machine
from sparkwell.planner.plan import Plan, make_plan
from sparkwell.planner.sleep import GAINED_BYTES, RELOADED_BYTES

CATALOG = load_catalog()
INSTALLED = Installed("vllm", "vllm", "cuda", "0.25.0", "/e", "/e/bin/python", "")
PROCESS = Way("0.25.0", "cuda", environment=INSTALLED)
NAME = "qwen3-8b-fp8"
Make = Callable[..., ModelService]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Models of a machine that has vLLM as a process."""
    monkeypatch.setattr(Ways, "way", lambda *_of_what: PROCESS)
    monkeypatch.setattr(back_ends, "host_total_bytes", lambda: 126 * GIB)

    def made(hardware: str = "h100-80gb", **settings: Any) -> ModelService:
        models = ModelService(
            find_paths({"SPARKWELL_HOME": str(tmp_path)}),
            Settings.model_validate(settings),
            CATALOG,
            {"HOME": str(tmp_path)},
        )
        models.planning.__dict__["here"] = find_machine(hardware)
        return models

    return made


def planned(models: ModelService, wish: Wish | None = None, name: str = NAME) -> Plan:
    target = models.planning.target(name)
    return make_plan(models.planning.question(target, as_started(models, target, wish or Wish())))


@pytest.mark.parametrize("hardware", ["h100-80gb", "dgx-spark"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"models": {NAME: {"flags": {"max_model_len": 4096, "seed": 7}}}},
        {"models": {NAME: {"profile": "latency"}}},
        {"models": {NAME: {"flags": {"gpu_memory_utilization": 0.5}, "back_end": "sleep-2"}}},
        {"switching": {"back_end": "cold"}},
        {"switching": {"back_end": "sleep-1", "budget_gib": 50}},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("given", [{}, {"max_num_seqs": 16}], ids=["plain", "set"])
def test_a_plan_is_that_of_the_start(
    make: Make, hardware: str, settings: dict[str, Any], given: dict[str, Any]
) -> None:
    models = make(hardware, **settings)
    recipe = CATALOG.get(NAME)
    chosen = models.choose_flags(recipe, PROCESS, StartWish(given))
    plan = planned(models, Wish(flags=given))
    assert plan.question.flags == chosen.flags
    assert plan.memory.held == chosen.held_bytes
    summary = summary_of(models, recipe, StartWish(given), PROCESS)
    assert summary is not None
    assert summary.held_bytes == chosen.held_bytes


def test_what_is_set_on_the_command_line_wins(make: Make) -> None:
    own = {NAME: {"flags": {"max_model_len": 4096}, "profile": "latency"}}
    flags = planned(make(models=own)).question.flags
    assert flags["max_model_len"] == 4096
    given = Wish(profile="throughput", flags={"max_model_len": 8192})
    plan = planned(make(models=own), given)
    assert plan.question.flags["max_model_len"] == 8192
    other = planned(make(), given)
    assert plan.question.flags == other.question.flags


def test_another_machine_has_none_of_these_settings(make: Make) -> None:
    own = {NAME: {"flags": {"max_model_len": 4096}}}
    wish = Wish("dgx-spark")
    target = make().planning.target(NAME)
    assert as_started(make(models=own), target, wish) == wish


def test_a_model_that_no_start_knows_is_planned_as_it_is(make: Make) -> None:
    models = make(switching={"budget_gib": 10})
    stranger = Target(models.planning.target(NAME).described)
    assert as_started(models, stranger, Wish()) == Wish()


def test_without_an_engine_the_settings_still_count(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_of_what: object) -> Way:
        raise EnvironmentFault("vllm is not installed.")

    monkeypatch.setattr(Ways, "way", none)
    own = {NAME: {"flags": {"max_model_len": 4096}}}
    plan = planned(make(models=own))
    assert plan.question.flags["max_model_len"] == 4096
    assert "enable_sleep_mode" not in plan.question.flags


@pytest.mark.parametrize(("level", "more"), [(1, GAINED_BYTES), (2, GAINED_BYTES + RELOADED_BYTES)])
def test_sleep_mode_is_a_line_of_its_own(make: Make, level: int, more: int) -> None:
    own = {NAME: {"flags": {"gpu_memory_utilization": 0.7}}}
    cold = planned(make(models=own, switching={"back_end": "cold"})).memory
    memory = planned(make(models=own, switching={"back_end": f"sleep-{level}"})).memory
    assert (cold.sleep, memory.sleep) == (0, more)
    assert memory.held == cold.held + more
    assert (memory.budget, memory.kv_cache) == (cold.budget, cold.kv_cache)


def test_several_share_the_budget(make: Make) -> None:
    models = make(switching={"budget_gib": 40, "back_end": "cold"})
    names = (NAME, "llama31-8b-fp8")
    placed = place_models(models.planning, names, Wish(), models.settings, {}, models)
    assert [each.name for each in placed.entries] == list(names)
    assert sum(each.held_bytes for each in placed.entries) <= 40 * GIB == placed.free_bytes
    free = make(switching={"back_end": "cold"})
    more = place_models(free.planning, names, Wish(), free.settings, {}, free)
    assert sum(each.held_bytes for each in more.entries) > 60 * GIB


@pytest.mark.parametrize("budget_gib", [None, 50])
@pytest.mark.parametrize("back_end", ["cold", "sleep-2"])
def test_a_plan_for_several_is_that_of_their_start(
    make: Make, budget_gib: float | None, back_end: str
) -> None:
    own = {NAME: {"flags": {"max_model_len": 4096}}}
    models = make(models=own, switching={"budget_gib": budget_gib, "back_end": back_end})
    names = (NAME, "llama31-8b-fp8")
    placed = place_models(models.planning, names, Wish(), models.settings, {}, models)
    wishes = {models.served(name): StartWish() for name in names}
    started = shared_out(models, wishes, {})
    assert [each.placed for each in started.values()] == [each.flags for each in placed.entries]
    for each, wish in started.items():
        assert each.recipe
        chosen = models.choose_flags(each.recipe, PROCESS, wish)
        entry = next(entry for entry in placed.entries if entry.name == each.name)
        assert chosen.held_bytes == entry.held_bytes


def test_several_that_sleep_leave_room_for_it(make: Make) -> None:
    names = (NAME, "llama31-8b-fp8")
    models = make(switching={"back_end": "sleep-2"})
    placed = place_models(models.planning, names, Wish(), models.settings, {}, models)
    assert placed.fits
    assert all(each.flags["enable_sleep_mode"] for each in placed.entries)
    assert all(each.memory and each.memory.sleep for each in placed.entries)
    assert sum(each.held_bytes for each in placed.entries) <= models.planning.here.total_bytes


def test_the_command_reads_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKWELL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(detect, "detect", lambda: find_machine("h100-80gb"))
    monkeypatch.setattr(Ways, "way", lambda *_of_what: PROCESS)
    monkeypatch.setattr(back_ends, "host_total_bytes", lambda: 126 * GIB)
    settings = tmp_path / "s.yaml"
    settings.write_text(f"models: {{{NAME}: {{flags: {{max_model_len: 4096}}, profile: latency}}}}")

    def said(*words: str) -> str:
        result = CliRunner().invoke(cli, ["--config", str(settings), "plan", NAME, *words])
        assert result.exit_code == 0, result.output
        return result.output

    assert json.loads(said("--json"))["flags"]["max_model_len"] == 4096
    page = said()
    assert "profile latency" in page
    assert "sleep mode; the most seen on an H100" in page
    assert "profile quality" in said("--profile", "quality")
    other = json.loads(said("--json", "--hardware", "dgx-spark"))
    assert other["flags"]["max_model_len"] != 4096
    assert other["memory"]["sleep_bytes"] == 0
    rows = json.loads(said("--json", "--contexts", "2k"))
    assert rows["flags"]["enable_sleep_mode"] is True
    both = json.loads(said("--json", "--beside", "llama31-8b-fp8"))
    assert both["models"][0]["flags"]["max_model_len"] == 4096
