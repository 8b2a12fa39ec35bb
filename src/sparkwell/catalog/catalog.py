"""The catalog: all recipes by name, those of the package and the user's own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from sparkwell.catalog.recipe import Recipe
from sparkwell.core.documents import parse_document
from sparkwell.core.errors import DocumentError, UnknownModelError

SHIPPED = Path(__file__).parent / "recipes"
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Catalog:
    """Recipes by name. ``problems`` are the files that could not be read, a message each.

    Names are matched without regard to case, and a repository id is as good as a name.
    """

    recipes: tuple[Recipe, ...]
    problems: tuple[str, ...] = ()
    _by_alias: dict[str, Recipe] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index = {alias.lower(): recipe for recipe in self.recipes for alias in recipe.aliases}
        object.__setattr__(self, "_by_alias", index)

    def __iter__(self) -> Iterator[Recipe]:
        return iter(self.recipes)

    def find(self, name: str) -> Recipe | None:
        """The recipe of that name or repository id, or None."""
        return self._by_alias.get(name.lower())

    def get(self, name: str) -> Recipe:
        """The recipe of that name or repository id; raises UnknownModelError with near names."""
        recipe = self.find(name)
        if recipe is None:
            said = _shortened(name)
            raise UnknownModelError(f"There is no model {said!r}.", hint=self._near(said))
        return recipe

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all recipes, in order."""
        return tuple(recipe.name for recipe in self.recipes)

    def _near(self, name: str) -> str:
        near = get_close_matches(name.lower(), list(self._by_alias), n=3, cutoff=0.5)
        names = list(dict.fromkeys(self._by_alias[alias].name for alias in near))
        if names:
            return f"Did you mean {' or '.join(names)}?"
        return f"There are: {', '.join(self.names)}."


def load_catalog(folders: Iterable[Path] = ()) -> Catalog:
    """Read the shipped recipes, then those of ``folders``; a later name replaces an earlier.

    A file that is not right becomes one of the catalog's ``problems``; the others still load.
    """
    recipes: dict[str, Recipe] = {}
    problems: list[str] = []
    for file in _files([SHIPPED, *folders]):
        try:
            recipe = load_recipe(file)
        except DocumentError as error:
            problems.append(error.message)
        else:
            recipes[recipe.name] = recipe
    return Catalog(tuple(recipes.values()), tuple(problems))


def load_recipe(file: Path) -> Recipe:
    """Read one recipe file; raises DocumentError that names the file, line and field."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(f"{file}: this file cannot be read: {error}") from None
    return parse_document(text, Recipe, str(file))


def _shortened(name: str) -> str:
    """Clients send names of any length: megabytes are neither compared nor quoted back."""
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
