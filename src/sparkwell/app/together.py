"""Several models within one machine's memory: what each is started with, beside the others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sparkwell.app.served import Served
from sparkwell.app.service import ModelService
from sparkwell.app.starting import StartWish
from sparkwell.catalog.described import describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import ConflictError
from sparkwell.engines.vllm import rules_for
from sparkwell.planner.fit import UTILIZATION
from sparkwell.planner.placement import Engine, Fixed, place

Held = Mapping[str, int]
"""Bytes that models hold, by name."""


def wishes_together(
    models: ModelService, wanted: Sequence[Served], wish: StartWish, held: Held, sizes: Held
) -> dict[str, StartWish]:
    """What each model is started with, by name; the wish's own flags are the first one's.

    ``held`` is what runs already, ``sizes`` what models in Ollama will take. On a GPU each gets
    a share that leaves room for the others. Raises ConflictError when they do not fit together.
    """
    if len(wanted) < 2 or models.planning.here.device == "cpu":
        return _one_by_one(wanted, wish, held, sizes)
    engines = [
        _bidder(models, each, _first_only(wish, number))
        for number, each in enumerate(wanted)
        if each.recipe
    ]
    fixed = [Fixed(name, size) for name, size in {**held, **sizes}.items()]
    placement = place([*engines, *fixed], models.planning.here)
    if not placement.fits and not wish.force:
        ways = [f"- {advice.remedy}" for advice in placement.advice if advice.remedy]
        raise ConflictError(
            f"They do not fit on this machine together: {placement.why_not}",
            hint="\n".join([*ways, "- --force starts them all the same."]),
        )
    flags = {entry.name: entry.flags for entry in placement.entries}
    every = {entry.name: entry.held_bytes for entry in placement.entries}
    return {
        each.name: replace(
            wish,
            flags=flags.get(each.name, {}),
            beside={name: size for name, size in every.items() if name != each.name},
        )
        for each in wanted
    }


def _one_by_one(
    wanted: Sequence[Served], wish: StartWish, held: Held, sizes: Held
) -> dict[str, StartWish]:
    """Each beside what runs: nothing has a share that could be lowered."""
    others = {**held, **sizes}
    return {
        each.name: replace(
            _first_only(wish, number),
            beside={name: size for name, size in others.items() if name != each.name},
        )
        for number, each in enumerate(wanted)
    }


def _first_only(wish: StartWish, number: int) -> StartWish:
    return wish if number == 0 else replace(wish, flags={}, image=None)


def _bidder(models: ModelService, served: Served, wish: StartWish) -> Engine:
    """Its profile's flags without the share, which the others decide."""
    recipe = served.recipe
    assert recipe is not None  # noqa: S101 - the caller's own condition, for the type checker
    way = models.ways.way(recipe, wish.driver, wish.image)
    chosen = models.choose_flags(recipe, way, replace(wish, force=True))
    given: Mapping[str, FlagValue] = wish.flags
    flags = {
        name: value for name, value in chosen.flags.items() if name != UTILIZATION or name in given
    }
    return Engine(recipe.name, describe_recipe(recipe), rules_for(way.version), flags)
