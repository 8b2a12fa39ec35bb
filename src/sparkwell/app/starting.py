"""With which flags a model starts on this machine, and whether the machine bears it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkwell.app.planning import Planning, Target, Wish
from sparkwell.catalog import Recipe
from sparkwell.catalog.described import describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import ConflictError, UsageError
from sparkwell.drivers.environments import Installed
from sparkwell.engines.vllm import check_flags
from sparkwell.planner.plan import Plan, make_plan

logger = logging.getLogger(__name__)
DEFAULT_PROFILE = "balanced"
GUIDE = "guide"


@dataclass(frozen=True, slots=True)
class StartWish:
    """What `up` was given: flags that win, a profile (None: the default), and ``force``."""

    flags: Mapping[str, FlagValue] = field(default_factory=dict)
    profile: str | None = None
    force: bool = False


def start_flags(
    planning: Planning, recipe: Recipe, environment: Installed, wish: StartWish
) -> dict[str, FlagValue]:
    """All flags of the start.

    On a GPU they are the profile's for this machine, and a start that does not fit is refused
    with ConflictError unless it is forced. The CPU build's KV cache has a size of its own: there
    the recipe's flags hold.
    """
    if environment.device == "cpu":
        return _on_cpu(recipe, environment, wish)
    asked = Wish(None, environment.version, wish.profile or DEFAULT_PROFILE, wish.flags)
    question = planning.question(Target(describe_recipe(recipe), recipe), asked)
    refuse_what_does_not_fit(make_plan(question), wish)
    return dict(question.flags)


def refuse_what_does_not_fit(plan: Plan, wish: StartWish) -> None:
    """Raise ConflictError for a plan that does not fit; a forced one is logged instead."""
    if plan.fits:
        return
    name = plan.question.described.name
    why = plan.problems[0].message  # all have the same cause; each is another way out
    if wish.force:
        logger.warning("Starting %s although it does not fit: %s", name, why)
        return
    ways = [f"- {problem.remedy}" for problem in plan.problems if problem.remedy]
    hint = "\n".join([*ways, "- --force starts it all the same."])
    raise ConflictError(f"{name} does not fit on this machine: {why}", hint=hint)


def _on_cpu(recipe: Recipe, environment: Installed, wish: StartWish) -> dict[str, FlagValue]:
    if wish.profile not in (None, DEFAULT_PROFILE, GUIDE):
        raise UsageError(
            f"The profile {wish.profile} is computed for GPUs, and {environment.name} runs on the "
            "CPU.",
            hint="Leave --profile out, and set flags with --set.",
        )
    if wish.profile == GUIDE and recipe.guide is None:
        raise UsageError(f"No guide says how to start {recipe.name}.", hint="Leave --profile out.")
    guide = recipe.guide.flags if wish.profile == GUIDE and recipe.guide else None
    base = recipe.serve.flags if guide is None else guide
    version = environment.version
    own = check_flags(base, where=f"recipe {recipe.name}", version=version)
    return {**own, **check_flags(wish.flags, version=version)}
