"""The catalog of this host: the package's recipes, the user's, and what the settings change."""

from pathlib import Path

from sparkwell.app.config import Settings
from sparkwell.app.paths import Paths
from sparkwell.catalog import Catalog, Recipe, load_catalog
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import DocumentError, UnknownModelError
from sparkwell.engines.vllm import check_flags

HostFlags = dict[str, dict[str, FlagValue]]
"""The flags that this host changes, by recipe name."""


def load_models(paths: Paths, settings: Settings, more_recipes: tuple[str, ...]) -> Catalog:
    """The catalog with the user's own recipes, those of the settings and ``more_recipes``.

    Raises DocumentError or UsageError when the settings name a folder, a model or a flag that
    there is not.
    """
    named = [_folder_of_recipes(folder) for folder in settings.recipes]
    given = [Path(folder).expanduser() for folder in more_recipes]
    catalog = load_catalog([paths.recipes, *named, *given])
    check_models(settings, catalog)
    return catalog


def check_models(settings: Settings, catalog: Catalog) -> HostFlags:
    """The flags under ``models:`` by recipe name, checked; a repository id is as good as a name.

    Raises DocumentError for a model that there is not, UsageError for a flag.
    """
    flags: HostFlags = {}
    for name, changes in settings.models.items():
        where = f"sparkwell.yaml: models.{name}"
        recipe = _recipe(name, where, catalog)
        if recipe.name in flags:
            raise DocumentError(f"{where}: the model {recipe.name} is there twice")
        flags[recipe.name] = check_flags(changes.flags, where=where)
    return flags


def _recipe(name: str, where: str, catalog: Catalog) -> Recipe:
    try:
        return catalog.get(name)
    except UnknownModelError as error:
        # It may be one of those that were left out: then that is what has to be mended.
        left_out = "".join(f"\nRecipe left out: {problem}" for problem in catalog.problems)
        raise DocumentError(f"{where}: {error.message}", hint=f"{error.hint}{left_out}") from None


def _folder_of_recipes(name: str) -> Path:
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise DocumentError(
            f"sparkwell.yaml: recipes: there is no folder {folder}.",
            hint="Make it, or take it out of the settings.",
        )
    return folder
