"""What an import answers with: each service, what became of it, and why something was left."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sparkwell.catalog import Recipe
from sparkwell.engines.compose.reading import ComposeService
from sparkwell.engines.compose.reading_fields import Left


@dataclass(frozen=True, slots=True)
class Taken:
    """One service: which model it is here (None for none), and what became of its fields.

    ``taken`` are sentences, ``own`` the fields that Sparkwell takes care of by itself, ``left``
    what is not taken over, with the reason.
    """

    service: str
    line: int
    engine: str | None = None
    model: str | None = None
    taken: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    left: tuple[Left, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """The settings, a mapping as sparkwell.yaml has it, and what became of each service."""

    settings: Mapping[str, Any]
    services: tuple[Taken, ...]
    left: tuple[Left, ...] = ()

    @property
    def models(self) -> list[str]:
        """The recipes that were recognised."""
        return [each.model for each in self.services if each.model]


@dataclass(frozen=True, slots=True)
class Base:
    """Where relative folders of the file begin, and the user's home."""

    folder: str
    home: str

    def absolute(self, source: str) -> str:
        """A folder of the host as an absolute path."""
        if source == "~" or source.startswith("~/"):
            return posixpath.normpath(posixpath.join(self.home, source[2:]))
        return posixpath.normpath(posixpath.join(self.folder, source))


def with_left(taken: Taken, left: Left) -> Taken:
    """The same with one more thing that is not taken over."""
    return replace(taken, left=(*taken.left, left))


def unknown(service: ComposeService, taken: Taken) -> Taken:
    """A service of something else."""
    what = f"runs {service.image}" if service.image else "has no image"
    why = f"{what}, and nothing here says that this is vLLM or Ollama"
    return with_left(taken, Left(service.line, ("services", service.name), why))


def without_recipe(service: ComposeService, model: str | None) -> Left:
    """Why a service of vLLM's is no model here, and what would make it one."""
    path = ("services", service.name)
    if model is None:
        return Left(service.line, path, "names no model")
    if model.startswith(("/", ".", "~")):
        why = f"serves {model}, a folder in the container; recipes name repositories of the Hub"
        remedy = "`sparkwell plan FOLDER` plans it by its folder on this machine."
        return Left(service.line, path, why, remedy)
    remedy = (
        f"`sparkwell plan hf:{model}` says whether it fits; a recipe of your own (shape, bytes of "
        "the weights, flags: docs/recipes.md) makes it a model here."
    )
    return Left(service.line, path, f"serves {model}, which no recipe has", remedy)


def images(recipe: Recipe) -> tuple[str | None, ...]:
    """The images that the recipe and its guide name themselves."""
    return (recipe.serve.image, recipe.guide.image if recipe.guide else None)


def is_tagged(image: str) -> bool:
    """Whether the image has a version: without one, or with latest, it may be any."""
    tag = image.rpartition("/")[2].partition(":")[2]
    return bool(tag) and tag != "latest"
