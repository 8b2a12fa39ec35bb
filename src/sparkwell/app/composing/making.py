"""A Compose file that serves models without Sparkwell."""

from dataclasses import dataclass

from sparkwell.app.composing.service import Composed, DigestOf, Rendering
from sparkwell.app.composing.text import head
from sparkwell.app.composing.wish import ComposeWish, Place
from sparkwell.app.service import ModelService
from sparkwell.engines.compose.changes_vllm import SECRET, TOKEN
from sparkwell.engines.compose.document import Document, to_yaml
from sparkwell.engines.compose.guide_services import FIRST, GUIDES_MODELS, service_name

OLLAMA = "ollama"
SPARK = "dgx-spark"


@dataclass(frozen=True, slots=True)
class ComposeFile:
    """A rendered file. ``notes`` are what somebody who uses it must know."""

    document: Document
    services: tuple[Composed, ...]
    hardware: str
    notes: tuple[str, ...]
    comment: str

    @property
    def text(self) -> str:
        """The file."""
        return to_yaml(self.document, self.comment)


class Composing:
    """Renders Compose files from this host's catalog, settings and plans.

    ``digest_of`` is asked for the digest of an image that this host's Docker has.
    """

    def __init__(self, models: ModelService, digest_of: DigestOf = lambda _image: None) -> None:
        self._models = models
        self._digest_of = digest_of

    def compose(self, wish: ComposeWish) -> ComposeFile:
        """The file for a wish.

        Raises UnknownModelError, UsageError for a flag or a profile, ConflictError for an image
        that cannot work there, EnvironmentFault where no image is known.
        """
        names = self._names(wish)
        place = self._place(wish, names)
        rendering = Rendering(self._models, wish, place, self._digest_of)
        default = self._default(names)
        services = tuple(
            rendering.ollama() if name == OLLAMA else rendering.vllm(name, default)
            for name in names
        )
        found = (*place.notes, *(note for service in services for note in service.notes))
        notes = tuple(dict.fromkeys(found))
        comment = head(wish, services, place, notes)
        return ComposeFile(_document(services), services, place.machine.name, notes, comment)

    def _names(self, wish: ComposeWish) -> tuple[str, ...]:
        """Recipes by name, each once; Ollama's server serves all models of its own."""
        if not wish.models:
            return (*GUIDES_MODELS, OLLAMA)
        return tuple(dict.fromkeys(map(self._name, wish.models)))

    def _name(self, given: str) -> str:
        if given == OLLAMA or given.startswith(f"{OLLAMA}/"):
            return OLLAMA
        return self._models.catalog.get(given).name

    def _default(self, names: tuple[str, ...]) -> str:
        """The vLLM service that a plain `docker compose up -d` starts."""
        catalog = self._models.catalog
        services = [service_name(catalog.get(name)) for name in names if name != OLLAMA]
        return FIRST if FIRST in services or not services else services[0]

    def _place(self, wish: ComposeWish, names: tuple[str, ...]) -> Place:
        """What comes with Sparkwell needs no GPU, so it is served here."""
        planning, catalog = self._models.planning, self._models.catalog
        recipes = [catalog.get(name) for name in names if name != OLLAMA]
        bundled = recipes and all(recipe.bundled for recipe in recipes)
        if wish.hardware is not None:
            return Place(planning.machine(wish.hardware), wish.hardware, here=False)
        if planning.here.device == "cuda" or bundled:
            return Place(planning.here, None, here=True)
        return Place(planning.machine(SPARK), SPARK, here=False, fallback=True)


def _document(services: tuple[Composed, ...]) -> Document:
    every = [service.corrected.draft.written for service in services]
    secrets = {SECRET: TOKEN} if any(SECRET in service.secrets for service in every) else {}
    return Document(every, secrets=secrets, project=None)
