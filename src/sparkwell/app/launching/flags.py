"""With which flags a model starts on this machine, and whether the machine bears it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sparkwell.app.launching.ways import Way
from sparkwell.app.planning.planning import Planning, Target, Wish
from sparkwell.catalog import Recipe
from sparkwell.catalog.described import describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.catalog.tuned import Tuned
from sparkwell.core.errors import ConflictError, UsageError
from sparkwell.core.units import GIB
from sparkwell.engines.vllm import check_flags
from sparkwell.planner.plan import Plan, make_plan

logger = logging.getLogger(__name__)
DEFAULT_PROFILE = "balanced"
GUIDE = "guide"
FORCED = "- --force starts it all the same."


@dataclass(frozen=True, slots=True)
class StartWish:
    """What `up` was given: flags that win, a profile (None: the default), and ``force``.

    ``driver`` and ``image`` None mean what suits the model. ``beside`` is what others hold on
    the machine, in bytes, by name. ``placed`` are flags that are ours, not the user's: the share
    beside models that start with it, and what its way to make room needs. ``folder`` is where the
    command was typed: a ``.env`` there may have the token for the Hub. ``reserved_bytes`` is what
    the settings keep from all engines, ``sleep_level`` the level at which the engine will sleep.
    """

    flags: Mapping[str, FlagValue] = field(default_factory=dict)
    profile: str | None = None
    force: bool = False
    driver: str | None = None
    image: str | None = None
    beside: Mapping[str, int] = field(default_factory=dict)
    placed: Mapping[str, FlagValue] = field(default_factory=dict)
    folder: str | None = None
    reserved_bytes: int = 0
    sleep_level: int | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """All flags of a start, and what it will hold, in bytes; None where nobody can tell.

    ``way_back`` is the profile that tuned flags were compared with; None where none are used.
    """

    flags: dict[str, FlagValue]
    held_bytes: int | None
    way_back: str | None = None


def choose_flags(planning: Planning, recipe: Recipe, way: Way, wish: StartWish) -> Chosen:
    """All flags of the start.

    On a GPU they are the profile's for this machine, and a start that does not fit is refused
    with ConflictError unless it is forced. The CPU build's KV cache has a size of its own: there
    the recipe's flags hold, or those that were measured there.
    """
    if way.device == "cpu":
        return _on_cpu(planning, recipe, way, wish)
    plan = _plan(planning, recipe, way, wish, {**wish.placed, **wish.flags})
    _refuse_what_does_not_fit(plan, wish)
    return Chosen(dict(plan.question.flags), plan.memory.held, _way_back(plan.question.tuned))


def profile_flags(
    planning: Planning, recipe: Recipe, way: Way, wish: StartWish
) -> dict[str, FlagValue]:
    """The flags of a start on a GPU that has it for itself, whether they fit or not."""
    alone = replace(wish, beside={})
    flags = {**wish.placed, **wish.flags}
    return dict(_plan(planning, recipe, way, alone, flags).question.flags)


def wish_to_plan(version: str | None, wish: StartWish, flags: Mapping[str, FlagValue]) -> Wish:
    """What the planner is asked for a start on this machine, beside all that holds memory."""
    beside = sum(wish.beside.values()) + wish.reserved_bytes
    profile = wish.profile or DEFAULT_PROFILE
    return Wish(None, version, profile, flags, beside_bytes=beside, sleep_level=wish.sleep_level)


def _plan(
    planning: Planning, recipe: Recipe, way: Way, wish: StartWish, flags: Mapping[str, FlagValue]
) -> Plan:
    asked = wish_to_plan(way.version, wish, flags)
    return make_plan(planning.question(_target(recipe), asked))


def _target(recipe: Recipe) -> Target:
    return Target(describe_recipe(recipe), recipe)


def _refuse_what_does_not_fit(plan: Plan, wish: StartWish) -> None:
    """Raise ConflictError for a plan that does not fit; a forced one is logged instead."""
    if plan.fits:
        return
    name = plan.question.described.name
    why = plan.problems[0].message  # all have the same cause; each is another way out
    if wish.force:
        logger.warning("Starting %s although it does not fit: %s", name, why)
        return
    known = [problem.remedy for problem in plan.problems if problem.remedy]
    # With others on the machine the plan's own words for them are told better by their names.
    ways = [f"- {each}" for each in known if not (wish.beside and _is_elsewhere(each))]
    back = _to_go_back(name, plan.question.tuned)
    hint = "\n".join([*_stop_others(wish, name), *back, *ways, FORCED])
    raise ConflictError(f"{name} does not fit on this machine{_beside(wish)}: {why}", hint=hint)


def _way_back(tuned: Tuned | None) -> str | None:
    return tuned.way_back if tuned else None


def _to_go_back(model: str, tuned: Tuned | None) -> list[str]:
    """The flags were measured with the machine as it was then."""
    back = _way_back(tuned)
    return [f"- `sparkwell up {model} --profile {back}` takes other flags."] if back else []


def _is_elsewhere(remedy: str) -> bool:
    return remedy.startswith(("Stop what holds", "On "))


def _beside(wish: StartWish) -> str:
    held = [f"{name} ({size / GIB:.1f} GiB)" for name, size in wish.beside.items()]
    beside = f" beside {', '.join(held)}" if held else ""
    kept = wish.reserved_bytes / GIB
    return f"{beside}, where switching.budget_gib leaves {kept:.1f} GiB unused" if kept else beside


def _stop_others(wish: StartWish, model: str) -> list[str]:
    ways = [f"- `sparkwell down {name}` makes room." for name in wish.beside]
    switch = f"- `sparkwell up {model} --switch` makes room when running requests are done."
    return [*ways, switch] if ways else []


def _on_cpu(planning: Planning, recipe: Recipe, way: Way, wish: StartWish) -> Chosen:
    tuned = planning.tuned(_target(recipe), wish.profile, planning.here, way.version)
    own = _base_on_cpu(recipe, way, wish) if tuned is None else tuned.flags
    flags = {**own, **check_flags(wish.flags, version=way.version)}
    if planning.here.device != "cpu":  # the planner's model of this machine is that of its GPU
        return Chosen(flags, None, _way_back(tuned))
    held = _plan(planning, recipe, way, wish, flags).memory.held
    _refuse_what_exceeds(planning.here.total_bytes, recipe.name, held, wish)
    return Chosen(flags, held, _way_back(tuned))


def _base_on_cpu(recipe: Recipe, way: Way, wish: StartWish) -> dict[str, FlagValue]:
    """The recipe's flags, or the guide's; raises UsageError for what is computed for GPUs."""
    if wish.profile not in (None, DEFAULT_PROFILE, GUIDE):
        raise UsageError(
            f"The profile {wish.profile} is computed for GPUs, and {recipe.serve.environment} runs "
            "on the CPU.",
            hint="Leave --profile out, and set flags with --set.",
        )
    if wish.profile == GUIDE and recipe.guide is None:
        raise UsageError(f"No guide says how to start {recipe.name}.", hint="Leave --profile out.")
    guide = recipe.guide.flags if wish.profile == GUIDE and recipe.guide else None
    base = recipe.serve.flags if guide is None else guide
    return check_flags(base, where=f"recipe {recipe.name}", version=way.version)


def _refuse_what_exceeds(total: int, name: str, held: int, wish: StartWish) -> None:
    beside = sum(wish.beside.values()) + wish.reserved_bytes
    if not beside or beside + held <= total or wish.force:
        return
    raise ConflictError(
        f"{name} does not fit on this machine{_beside(wish)}: it takes {held / GIB:.1f} GiB, and "
        f"the machine has {total / GIB:.1f}.",
        hint="\n".join([*_stop_others(wish, name), FORCED]),
    )
