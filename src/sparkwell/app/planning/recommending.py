"""What `sparkwell recommend` asks the planner: each model for a need, on this machine or others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from sparkwell.app.paths import Paths
from sparkwell.app.planning.planning import Planning, Wish
from sparkwell.catalog import Catalog, Recipe
from sparkwell.core.errors import SparkwellError
from sparkwell.hardware.machine import Machine
from sparkwell.planner.needs import LONG_CONTEXT, Need, Wanted
from sparkwell.planner.plan import Plan
from sparkwell.planner.recommend import Offer, least_memory, shortcoming


class Supposed(Planning):
    """This host's planning, as if it were for another machine."""

    def __init__(
        self, machine: Machine, paths: Paths, catalog: Catalog, environ: Mapping[str, str]
    ) -> None:
        super().__init__(paths, catalog, environ)
        self._machine = machine

    def machine(self, _hardware: str | None) -> Machine:
        """That machine, whatever is asked for."""
        return self._machine


@dataclass(frozen=True)
class Asked:
    """What is needed, how much of it, and of which machine; ``memory_bytes`` replaces its own.

    ``supposing`` makes the planning for a machine that is not this one.
    """

    catalog: Catalog
    planning: Planning
    supposing: Callable[[Machine], Planning]
    need: Need
    wanted: Wanted
    hardware: str | None = None
    memory_bytes: int | None = None

    @cached_property
    def machine(self) -> Machine:
        """The machine, with the memory that is supposed."""
        own = self.planning.machine(self.hardware)
        if self.memory_bytes is None:
            return own
        return replace(own, total_bytes=self.memory_bytes, seen_totals=())

    @property
    def recipes(self) -> list[Recipe]:
        """The catalog without the models that are there for trying Sparkwell out."""
        return [recipe for recipe in self.catalog if recipe.repo]

    @property
    def demos(self) -> list[str]:
        """Names of those others."""
        return [recipe.name for recipe in self.catalog if not recipe.repo]

    def plan(self, model: str, profile: str, flags: Mapping[str, int]) -> Plan:
        """Plan a model of the catalog; raises SparkwellError."""
        if self.memory_bytes is None:
            wish = Wish(self.hardware, None, profile, flags)
            return self.planning.plan(model, wish)
        # Named, so that nothing that was seen on this machine counts for it.
        wish = Wish(self.machine.name, None, profile, flags)
        return self.supposing(self.machine).plan(model, wish)


def offer_of(asked: Asked, recipe: Recipe) -> Offer:
    """The recipe's plan for the need's profile, with more sequences where they are wished."""
    context, wished = asked.wanted.context, asked.wanted.concurrency
    flags = {"max_model_len": context} if context else {}
    profile = _profile(asked, recipe)
    offer = Offer(recipe.name, profile, recipe.use_for, recipe.not_for, flags)
    try:
        plan = asked.plan(recipe.name, profile, flags)
        if wished and plan.settings.max_num_seqs < wished:
            flags = {**flags, "max_num_seqs": wished}
            plan = asked.plan(recipe.name, profile, flags)
    except SparkwellError as error:
        return replace(offer, error=error)
    return replace(offer, flags=flags, plan=plan)


def _profile(asked: Asked, recipe: Recipe) -> str:
    """The need's; the only one that scales positions where the wished context asks for it."""
    shape, context = recipe.architecture, asked.wanted.context or 0
    scaled = shape.max_position_embeddings < context <= (shape.extended_context or 0)
    return LONG_CONTEXT.profile if scaled else asked.need.profile


def enough_for(asked: Asked) -> tuple[str, int] | None:
    """The lightest model that more memory would be enough for, and how many bytes."""
    for recipe in sorted(asked.recipes, key=lambda each: each.weights_bytes):

        def does(total_bytes: int, recipe: Recipe = recipe) -> bool:
            plan = offer_of(replace(asked, memory_bytes=total_bytes), recipe).plan
            return plan is not None and shortcoming(plan, asked.wanted) is None

        enough = least_memory(does, asked.machine.total_bytes)
        if enough is not None:
            return recipe.name, enough
    return None
