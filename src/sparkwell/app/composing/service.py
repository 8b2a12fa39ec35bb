"""One service of a Compose file: image, flags and corrections for the machine that it is for."""

from collections.abc import Callable
from dataclasses import dataclass

from sparkwell.app.composing.choices import Choices, Planned
from sparkwell.app.composing.wish import ComposeWish, Place
from sparkwell.app.service import ModelService
from sparkwell.app.settings.forms import parse_mount
from sparkwell.catalog import Recipe
from sparkwell.core.errors import EnvironmentFault
from sparkwell.engines.compose.corrections import Corrected, correct
from sparkwell.engines.compose.draft import Circumstances
from sparkwell.engines.compose.guide_services import (
    FOLDER,
    bundled_draft,
    service_name,
    vllm_draft,
)
from sparkwell.engines.ollama.launch import LONGEST_CONTEXT
from sparkwell.engines.ollama.service import IMAGE as OLLAMA_IMAGE
from sparkwell.engines.ollama.service import ollama_draft
from sparkwell.engines.vllm import check_flags
from sparkwell.engines.vllm.images import version_of
from sparkwell.engines.vllm.launch import needed
from sparkwell.hardware.cores import usable_cores

DigestOf = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Composed:
    """One service with what was found out about it.

    ``model`` is the recipe's name, "ollama" for Ollama. ``version`` is the engine's, None where
    the image does not tell. ``fits`` is None where nothing was planned.
    """

    model: str
    corrected: Corrected
    version: str | None = None
    fits: bool | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rendering:
    """Makes the services of one file.

    Where the file is for this host, its settings count, weights that it has are used, and
    ``digest_of`` is asked for the digests of images.
    """

    models: ModelService
    wish: ComposeWish
    place: Place
    digest_of: DigestOf

    def vllm(self, name: str, default: str) -> Composed:
        """The service of a recipe; ``default`` is the one that a plain `up` starts."""
        recipe = self.models.catalog.get(name)
        if recipe.serve.environment == "vllm-cpu":
            return self._bundled(recipe, default)
        choices = self._choices
        image, notes = choices.image(recipe)
        version = version_of(image)
        planned = choices.planned(recipe, image, version)
        overrides = {} if self.wish.plans else check_flags(self.wish.flags, version=version)
        folder = choices.settings.folders.models or FOLDER
        draft = vllm_draft(recipe, choices.guides_image(recipe), folder=folder, overrides=overrides)
        given = self._circumstances(recipe, image, planned, service_name(recipe) == default)
        corrected = correct(draft, given, self.wish.without)
        said = (*notes, *planned.notes, *_without_guide(recipe, self.wish))
        return Composed(name, corrected, version, planned.fits, said)

    def ollama(self) -> Composed:
        """The service that serves all of Ollama's models."""
        own = self._choices.settings
        image, folder = own.containers.images.get("ollama", OLLAMA_IMAGE), own.folders.ollama
        draft = ollama_draft(image, folder=folder, gpus=self.place.machine.device == "cuda")
        given = Circumstances(
            image=image,
            address=self.wish.publish,
            digest=self._digest(image),
            context=LONGEST_CONTEXT,
        )
        return Composed("ollama", correct(draft, given, self.wish.without))

    @property
    def _choices(self) -> Choices:
        return Choices(self.models, self.wish, self.place)

    def _bundled(self, recipe: Recipe, default: str) -> Composed:
        """A model that comes with Sparkwell is on this host, and so is the file for it."""
        own = self.models.settings
        way = self.models.ways.way(recipe, "compose", self.wish.image)
        checkpoint = self.models.checkpoint(recipe)
        if checkpoint is None or way.image is None:
            raise EnvironmentFault(f"The weights of {recipe.name} are not on this machine.")
        where = f"recipe {recipe.name}"
        flags = {**recipe.serve.flags, **self.models.changes(recipe).flags, **self.wish.flags}
        draft = bundled_draft(
            recipe,
            way.image,
            str(checkpoint),
            mounts=tuple(map(parse_mount, own.containers.mounts)),
            environment=needed(recipe, way.device, offline=True, cores=usable_cores()),
            flags=check_flags(flags, where=where, version=way.version),
        )
        given = self._circumstances(recipe, way.image, Planned(), service_name(recipe) == default)
        return Composed(recipe.name, correct(draft, given, self.wish.without), way.version)

    def _digest(self, image: str) -> str | None:
        asks = self.place.here and "digest" not in self.wish.without
        return self.digest_of(image) if asks else None

    def _circumstances(
        self, recipe: Recipe, image: str, planned: Planned, default: bool
    ) -> Circumstances:
        checkpoint = self.models.checkpoint(recipe) if self.place.here else None
        return Circumstances(
            image=image,
            address=self.wish.publish,
            digest=self._digest(image),
            planned=planned.flags,
            reasons=planned.reasons,
            checkpoint=str(checkpoint) if checkpoint else None,
            token=self.wish.token,
            default=default,
        )


def _without_guide(recipe: Recipe, wish: ComposeWish) -> tuple[str, ...]:
    if not wish.exact or recipe.guide is not None:
        return ()
    said = f"No guide has a service for {recipe.name}: it has the pattern of the others"
    return (f"{said}, with the recipe's own flags.",)
