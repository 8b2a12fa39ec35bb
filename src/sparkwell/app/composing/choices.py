"""What is chosen for one service of a Compose file: its image, and its flags."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkwell.app.composing.wish import DEFAULT_PROFILE, GUIDE, ComposeWish, Place
from sparkwell.app.launching.images import require_image
from sparkwell.app.planning.planning import Target, Wish, default_version
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import Settings
from sparkwell.catalog import Recipe
from sparkwell.catalog.described import describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.catalog.tuned import goal_of
from sparkwell.engines.vllm.image_rules import GUIDES_IMAGE, choose_image
from sparkwell.planner.plan import make_plan


@dataclass(frozen=True, slots=True)
class Planned:
    """Flags with a reason each, and whether they fit; None where nothing was planned."""

    flags: Mapping[str, FlagValue] | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    fits: bool | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choices:
    """Chooses for one wish. This host's settings count where the file is for this host."""

    models: ModelService
    wish: ComposeWish
    place: Place

    @property
    def settings(self) -> Settings:
        """This host's settings where the file is for this host, else the defaults."""
        own = self.place.here and not self.wish.exact
        return self.models.settings if own else Settings()

    def image(self, recipe: Recipe) -> tuple[str, tuple[str, ...]]:
        """The image that is rendered, and what there is to say about it."""
        machine = self.place.machine
        if "image" in self.wish.without:
            image = self.guides_image(recipe)
        else:
            image = choose_image(recipe, machine, self.wanted(recipe)).image
        architecture = platform.machine() if self.place.here else None
        warnings = require_image(
            image, machine, recipe, architecture=architecture, force=self.wish.force
        )
        return image, tuple(warning.why for warning in warnings)

    def guides_image(self, recipe: Recipe) -> str:
        """The image before any correction: the guide's, unless somebody set one."""
        own = recipe.guide.image if recipe.guide else recipe.serve.image
        return self.wanted(recipe) or own or GUIDES_IMAGE

    def wanted(self, recipe: Recipe) -> str | None:
        """An image that somebody set."""
        if self.wish.image or not self.place.here or self.wish.exact:
            return self.wish.image
        own = self.models.changes(recipe).image
        return own or self.settings.containers.images.get("vllm")

    def planned(self, recipe: Recipe, image: str, version: str | None) -> Planned:
        """The flags for the machine and the image's version; nothing where the wish plans none."""
        if not self.wish.plans:
            return Planned()
        own = self.models.changes(recipe) if self.place.here else None
        profile = self.wish.profile or (own and own.profile) or DEFAULT_PROFILE
        notes = []
        known = version or default_version(recipe, self.place.machine)
        if not self.wish.models and (lacking := self._lacking(profile, recipe, known)):
            profile = DEFAULT_PROFILE
            notes.append(f"{lacking}: its flags are {profile}.")
        flags = {**(own.flags if own else {}), **self.wish.flags}
        if version is None:
            notes.append(f"Which vLLM {image} has is not known; the flags are for {known}.")
        asked = Wish(self.place.hardware, known, profile, flags)
        question = self.models.planning.question(Target(describe_recipe(recipe), recipe), asked)
        plan = make_plan(question)
        notes += [_unfit(recipe, self.place, problem.message) for problem in plan.problems[:1]]
        return Planned(question.flags, question.reasons, plan.fits, tuple(notes))

    def _lacking(self, profile: str, recipe: Recipe, version: str) -> str | None:
        """Why one of all models has not the profile that was asked for them together."""
        if profile == GUIDE and recipe.guide is None:
            return f"No guide says how to start {recipe.name}"
        if goal_of(profile) is None:
            return None
        overlays = self.models.planning.overlays
        there = overlays.profiles(recipe.name, self.place.machine, version)
        return None if profile in there else f"{recipe.name} has no profile {profile}"


def _unfit(recipe: Recipe, place: Place, why: str) -> str:
    return f"{recipe.name} does not fit on {place.machine.name} with these flags: {why}"
