"""What a name means: a model of the catalog, or one in Ollama."""

from dataclasses import dataclass, field

from sparkwell.catalog import Catalog, Recipe
from sparkwell.catalog.ollama import OllamaName, is_ollama
from sparkwell.engines.ollama import split_size


@dataclass(frozen=True, slots=True)
class Served:
    """A model that can be asked for; equal to another one of the same name.

    ``recipe`` or ``ollama`` is set, or neither for one that runs and that the catalog has lost.
    ``aliases`` are all names that clients may use, the usual one first. ``size_bytes`` is what a
    user said that it takes.
    """

    name: str
    aliases: tuple[str, ...] = field(compare=False)
    recipe: Recipe | None = field(default=None, compare=False)
    ollama: OllamaName | None = field(default=None, compare=False)
    size_bytes: int | None = field(default=None, compare=False)


def served(name: str, catalog: Catalog) -> Served:
    """The model that a name means; raises UnknownModelError, or UsageError for no name at all."""
    if is_ollama(name):
        model, given, size = name.partition("=")
        # Ollama does not tell upper case from lower: one model, one name.
        parsed, size_bytes = split_size(model.lower() + given + size)
        return Served(str(parsed), (str(parsed),), ollama=parsed, size_bytes=size_bytes)
    return of_recipe(catalog.get(name))


def lost(name: str) -> Served:
    """A model that runs, but that the catalog does not have any more."""
    return Served(name, (name,))


def of_recipe(recipe: Recipe) -> Served:
    """A model of the catalog."""
    return Served(recipe.name, recipe.aliases, recipe=recipe)
