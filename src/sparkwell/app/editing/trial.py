"""What settings that are not in force would do here: flags, plan, Compose file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sparkwell.app.composing.making import Composing
from sparkwell.app.composing.service import DigestOf
from sparkwell.app.composing.wish import ComposeWish
from sparkwell.app.guides.check import claims_of
from sparkwell.app.launching.flags import StartWish
from sparkwell.app.launching.ways import Way
from sparkwell.app.planning.own_plans import as_started
from sparkwell.app.planning.planning import Wish, default_version
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import ModelSettings
from sparkwell.catalog import Recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.catalog.tuned import goal_of
from sparkwell.core.errors import EnvironmentFault
from sparkwell.engines.environments import environment
from sparkwell.planner.plan import Plan, make_plan
from sparkwell.planner.profiles import COMPUTED
from sparkwell.planner.question import Question
from sparkwell.planner.report import contract


@dataclass(frozen=True, slots=True)
class Trial:
    """One recipe under settings of its own; what the daemon does goes by its own still.

    ``way`` is None where its engine is not installed: it can be planned all the same.
    """

    models: ModelService
    recipe: Recipe
    way: Way | None

    @property
    def version(self) -> str:
        """The version of vLLM that would run it."""
        here = self.models.planning.here
        return self.way.version if self.way else default_version(self.recipe, here)

    @property
    def on_cpu(self) -> bool:
        """Whether its engine computes on the CPU, for which no profile is computed."""
        built = environment(self.recipe.serve.environment)
        return (self.way.device if self.way else built.device) == "cpu"

    @property
    def tuned_profiles(self) -> tuple[str, ...]:
        """The profiles with flags that were measured here, for the version that would run."""
        planning = self.models.planning
        return planning.overlays.profiles(self.recipe.name, planning.here, self.version)

    def flags(self) -> Mapping[str, FlagValue]:
        """The flags of a start; raises SparkwellError."""
        if self.on_cpu and self.way:
            return self.models.choose_flags(self.recipe, self.way, StartWish(force=True)).flags
        return self.models.flags(self.recipe) if self.on_cpu else self._question().flags

    def source(self, flag: str) -> str:
        """Who chose one of ``flags`` of which sparkwell.yaml says nothing: recipe or profile."""
        profile = self.models.changes(self.recipe).profile
        listed = profile == "guide" or goal_of(profile) is not None
        on_cpu = self.on_cpu or self.models.planning.here.device == "cpu"
        computed = flag in COMPUTED and not on_cpu
        own = flag in self.recipe.serve.flags
        return "recipe" if own and not listed and not computed else "profile"

    def plan(self) -> Plan:
        """The plan of a start; raises UsageError for flags that cannot go together."""
        return make_plan(self._question())

    def document(self) -> dict[str, Any]:
        """The document of ``sparkwell plan --json``; raises SparkwellError."""
        made = self.plan()
        return contract(made, claims_of(self.models.planning, made))

    def compose(self, digest_of: DigestOf) -> str:
        """The file of ``sparkwell compose``; raises SparkwellError.

        Where this machine has no GPU it is for a DGX Spark, with these settings all the same.
        """
        wish = ComposeWish(models=(self.recipe.name,))
        if self.models.planning.here.device != "cuda" and not self.recipe.bundled:
            own = self.models.changes(self.recipe)
            wish = replace(wish, profile=own.profile, flags=own.flags)
        return Composing(self.models, digest_of).compose(wish).text

    def _question(self) -> Question:
        planning = self.models.planning
        target = planning.target(self.recipe.name)
        return planning.question(target, as_started(self.models, target, Wish()))


def try_out(models: ModelService, changes: Mapping[str, ModelSettings], recipe: Recipe) -> Trial:
    """A recipe where ``models:`` in the settings says ``changes``, and all else is as it is.

    Raises SparkwellError for changes that cannot be meant.
    """
    settings = models.settings.model_copy(update={"models": dict(changes)})
    trial = ModelService(models.paths, settings, models.catalog, models.environ)
    trial.planning = models.planning  # it has looked at the machine already
    try:
        way = trial.ways.way(recipe)
    except EnvironmentFault:
        way = None
    return Trial(trial, recipe, way)
