"""Tuned profiles: an overlay's flags as they are, and what the user sets."""

import pytest
from tests.unit.catalog.overlays import overlay

from sparkwell.catalog import load_catalog
from sparkwell.catalog.described import describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.catalog.tuned import GOALS, Tuned, profile_of
from sparkwell.core.errors import UsageError
from sparkwell.engines.vllm.rules import rules_for
from sparkwell.hardware.description import find_machine
from sparkwell.planner.fit import Case
from sparkwell.planner.plan import make_plan
from sparkwell.planner.profile_names import PROFILES
from sparkwell.planner.profiles import Choice, choose
from sparkwell.planner.question import Question
from sparkwell.planner.report import contract

RECIPE = load_catalog().get("qwen3-8b-fp8")
REASON = "Measured on dgx-spark on 2026-11-22."


def picked(
    profile: str, tuned: Tuned | None, hardware: str = "dgx-spark", **overrides: FlagValue
) -> Choice:
    return choose(
        profile,
        Case(describe_recipe(RECIPE), find_machine(hardware), rules_for("0.25.0")),
        guide_flags=None,
        tuned=tuned,
        overrides=overrides,
        base=RECIPE.serve.flags,
    )


def planned(choice: Choice) -> Question:
    machine, rules = find_machine("dgx-spark"), rules_for("0.25.0")
    described = describe_recipe(RECIPE)
    return Question(described, machine, rules, choice.flags, choice.reasons, tuned=choice.tuned)


def test_every_goal_is_a_profile() -> None:
    assert {profile_of(goal) for goal in GOALS} < set(PROFILES)


@pytest.mark.parametrize("hardware", ["dgx-spark", "cpu"])
def test_its_flags_are_taken_as_they_are(hardware: str) -> None:
    tuned = overlay()
    choice = picked("tuned-throughput", tuned, hardware)
    assert choice.flags == tuned.flags
    assert choice.tuned == tuned
    assert set(choice.reasons.values()) == {REASON}


def test_what_the_user_sets_wins() -> None:
    choice = picked("tuned-throughput", overlay(), max_num_seqs=7, seed=1)
    assert choice.flags == {**overlay().flags, "max_num_seqs": 7, "seed": 1}
    assert choice.reasons["max_num_seqs"] == choice.reasons["seed"] == "You set it."
    assert choice.reasons["max_model_len"] == REASON


@pytest.mark.parametrize("tuned", [None, overlay(goal="latency")])
def test_without_an_overlay_for_the_goal_there_is_no_profile(tuned: Tuned | None) -> None:
    with pytest.raises(UsageError, match="has no profile tuned-throughput") as caught:
        picked("tuned-throughput", tuned)
    assert "sparkwell tune qwen3-8b-fp8 --goal throughput" in (caught.value.hint or "")


def test_other_profiles_take_no_overlay() -> None:
    balanced = picked("balanced", overlay())
    assert balanced.tuned is None
    assert balanced.flags == picked("balanced", None).flags


def test_a_context_that_the_model_does_not_reach_is_refused() -> None:
    with pytest.raises(UsageError, match="takes 40,960 tokens"):
        picked("tuned-throughput", overlay(flags={"max_model_len": 10_000_000}))


def test_the_planner_still_checks_that_it_fits() -> None:
    plan = make_plan(planned(picked("tuned-throughput", overlay())))
    assert plan.fits
    greedy = overlay(flags={"gpu_memory_utilization": 0.99})
    assert not make_plan(planned(picked("tuned-throughput", greedy))).fits


def test_the_document_has_the_overlay_whole() -> None:
    plan = make_plan(planned(picked("tuned-throughput", overlay())))
    assert contract(plan)["tuned"] == overlay().model_dump(mode="json")
    assert contract(plan)["tuned"]["evidence"]["date"] == "2026-11-22"
    assert contract(make_plan(planned(picked("balanced", None))))["tuned"] is None
