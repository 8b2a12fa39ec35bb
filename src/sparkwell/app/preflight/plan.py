"""What the plan of a start says, in the few figures that pre-flight compares with this host."""

from math import ceil

from sparkwell.app.launching.flags import StartWish, wish_to_plan
from sparkwell.app.launching.ways import Way
from sparkwell.app.planning.planning import Target
from sparkwell.app.service import ModelService
from sparkwell.catalog import Recipe
from sparkwell.catalog.described import describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.checks.model_parts import PlanProblem, PlanSummary
from sparkwell.engines.environments import environment
from sparkwell.planner.memory import CONTEXT_BYTES
from sparkwell.planner.plan import Plan, make_plan


def summary_of(
    models: ModelService, recipe: Recipe, wish: StartWish, way: Way | None
) -> PlanSummary | None:
    """The plan's figures; None where the engine runs on a device that is not planned for.

    Raises UsageError for flags that cannot be planned.
    """
    device = environment(recipe.serve.environment).device
    if models.planning.here.device != device:
        return None
    start = models.with_changes(recipe, way, wish)
    flags: dict[str, FlagValue] = {**start.placed, **start.flags}
    asked = wish_to_plan(way.version if way else None, start, flags)
    question = models.planning.question(Target(describe_recipe(recipe), recipe), asked)
    return summary(make_plan(question))


def summary(plan: Plan) -> PlanSummary:
    """The figures of a plan."""
    memory, machine, rules = plan.memory, plan.question.machine, plan.question.rules
    headroom = memory.headroom if machine.unified else None
    checks = rules.startup_check and machine.device == "cuda"
    return PlanSummary(
        fits=plan.fits,
        basis=plan.question.basis,
        total_bytes=memory.total,
        held_bytes=memory.held,
        low_point_bytes=None if headroom is None else headroom + machine.floor_bytes,
        floor_bytes=machine.floor_bytes,
        startup_bytes=_wanted_free(plan) if checks else None,
        counts_page_cache=rules.free_memory == "cuda" and machine.unified and checks,
        problems=tuple(PlanProblem(each.message, each.remedy) for each in plan.problems),
    )


def _wanted_free(plan: Plan) -> int:
    """What the engine wants to find free, and what CUDA takes for it before it looks."""
    return ceil(plan.memory.total * plan.settings.utilization) + CONTEXT_BYTES
