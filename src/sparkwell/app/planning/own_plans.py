"""Plans of starts on this machine: the same question that `sparkwell up` puts to the planner."""

from dataclasses import replace

from sparkwell.app.launching.flags import StartWish, wish_to_plan
from sparkwell.app.launching.ways import Way
from sparkwell.app.planning.planning import Target, Wish
from sparkwell.app.service import ModelService
from sparkwell.catalog import Recipe
from sparkwell.core.errors import EnvironmentFault


def as_started(models: ModelService, target: Target, wish: Wish) -> Wish:
    """The wish with all that a start here would add to it.

    That is the version of the engine that would run, the flags and the profile of this host's
    settings, what sleep mode needs, and what ``switching.budget_gib`` keeps free. A wish for a
    described machine, and one for a model that no start knows, stay as they are.
    """
    if target.recipe is None or wish.hardware is not None:
        return wish
    way = _way(models, target.recipe)
    start = models.with_changes(
        target.recipe, way, StartWish(flags=wish.flags or {}, profile=wish.profile)
    )
    version = wish.version or (way.version if way else None)
    asked = wish_to_plan(version, start, {**start.placed, **start.flags})
    return replace(asked, beside_bytes=asked.beside_bytes + wish.beside_bytes)


def _way(models: ModelService, recipe: Recipe) -> Way | None:
    """How its engine would run here; None where that is not installed yet."""
    try:
        return models.ways.way(recipe)
    except EnvironmentFault:
        return None
