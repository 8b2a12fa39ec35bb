"""Several models that start together on one GPU: the share that each gets beside the others."""

from collections.abc import Mapping
from dataclasses import replace

from sparkwell.app.budget import BUDGET
from sparkwell.app.launching.flags import StartWish
from sparkwell.app.launching.ways import Way
from sparkwell.app.served import Served
from sparkwell.app.service import ModelService
from sparkwell.catalog import Recipe
from sparkwell.catalog.described import describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import ConflictError
from sparkwell.engines.vllm import rules_for
from sparkwell.planner.fit import UTILIZATION
from sparkwell.planner.placement import Engine, Fixed, place

Wishes = Mapping[Served, StartWish]
Held = Mapping[str, int]
"""Bytes that models hold, by name."""


def shared_out(models: ModelService, wishes: Wishes, held: Held) -> dict[Served, StartWish]:
    """The wishes with flags that give each a share which leaves room for the others.

    ``held`` is what runs already and what models in Ollama will take. Models whose engine does
    not compute on the GPU are left as they are. Raises ConflictError when they do not fit
    together, unless that is forced.
    """
    bidders = {
        each: _bidder(models, each.recipe, way, wish)
        for each, wish in wishes.items()
        if each.recipe and (way := _gpu_way(models, each.recipe, wish))
    }
    if len(wishes) < 2 or not bidders:
        return dict(wishes)
    every = {**held, BUDGET: models.reserved_bytes}
    fixed = [Fixed(name, size) for name, size in every.items() if size]
    placement = place([*bidders.values(), *fixed], models.planning.here)
    if not placement.fits and not any(wish.force for wish in wishes.values()):
        ways = [f"- {advice.remedy}" for advice in placement.advice if advice.remedy]
        raise ConflictError(
            f"They do not fit on this machine together: {placement.why_not}",
            hint="\n".join([*ways, "- --force starts them all the same."]),
        )
    placed = {entry.name: entry for entry in placement.entries}
    others = {e.name: e.held_bytes for e in placement.entries if e.name != BUDGET}
    return {
        each: replace(
            wish,
            placed=placed[each.name].flags if each in bidders else {},
            beside={name: size for name, size in others.items() if name != each.name},
        )
        for each, wish in wishes.items()
    }


def _gpu_way(models: ModelService, recipe: Recipe, wish: StartWish) -> Way | None:
    """How a recipe's engine runs, None where it does not compute on a GPU."""
    way = models.ways.way(recipe, wish.driver, wish.image)
    return way if way.device != "cpu" and models.planning.here.device != "cpu" else None


def _bidder(models: ModelService, recipe: Recipe, way: Way, wish: StartWish) -> Engine:
    """Its profile's flags without the share, which the others decide."""
    own: Mapping[str, FlagValue] = {**models.changes(recipe).flags, **wish.flags}
    flags = {
        name: value
        for name, value in models.profile_flags(recipe, way, wish).items()
        if name != UTILIZATION or name in own
    }
    level = models.back_end(recipe, way).level or None
    return Engine(recipe.name, describe_recipe(recipe), rules_for(way.version), flags, level)
