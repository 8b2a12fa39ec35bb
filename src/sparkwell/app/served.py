"""What a name means: a model of the catalog, or one in Ollama."""

from dataclasses import dataclass

from sparkwell.catalog import Catalog, Recipe
from sparkwell.catalog.ollama import OllamaName, is_ollama
from sparkwell.engines.ollama import split_size


@dataclass(frozen=True, slots=True)
class Served:
    """A model that can be asked for. Exactly one of ``recipe`` and ``ollama`` is set.

    ``aliases`` are the names that its engine answers to, the usual one first. ``size_bytes`` is
    what a user said that it takes.
    """

    name: str
    aliases: tuple[str, ...]
    recipe: Recipe | None = None
    ollama: OllamaName | None = None
    size_bytes: int | None = None


def served(name: str, catalog: Catalog) -> Served:
    """The model that a name means; raises UnknownModelError, or UsageError for no name at all."""
    if is_ollama(name):
        parsed, size = split_size(name)
        return Served(str(parsed), (parsed.short,), ollama=parsed, size_bytes=size)
    return of_recipe(catalog.get(name))


def of_recipe(recipe: Recipe) -> Served:
    """A model of the catalog."""
    return Served(recipe.name, recipe.aliases, recipe=recipe)
