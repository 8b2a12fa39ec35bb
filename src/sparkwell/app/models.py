"""The catalog of this host: the package's recipes, the user's, and what the settings change."""

from collections.abc import Mapping
from pathlib import Path

from sparkwell.app.paths import Paths
from sparkwell.app.settings.config import ModelSettings, Settings
from sparkwell.app.settings.forms import parse_start
from sparkwell.catalog import Catalog, Recipe, load_catalog
from sparkwell.catalog.ollama import is_ollama, parse_ollama
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import DocumentError, UnknownModelError, UsageError
from sparkwell.engines.vllm.flags import check_flag
from sparkwell.engines.vllm.images import version_of

HostChanges = dict[str, ModelSettings]
"""All that this host changes, by recipe name or ``ollama/NAME``."""
_NUM_CTX = "num_ctx"
_LONGEST_CONTEXT = 10_000_000


def load_models(paths: Paths, settings: Settings, more_recipes: tuple[str, ...]) -> Catalog:
    """The catalog with the user's own recipes, those of the settings and ``more_recipes``.

    Raises DocumentError or UsageError when the settings name a folder, a model or a flag that
    there is not.
    """
    named = [_folder_of_recipes(folder) for folder in settings.recipes]
    given = [Path(folder).expanduser() for folder in more_recipes]
    catalog = load_catalog([paths.recipes, *named, *given])
    host_changes(settings, catalog)
    check_start(settings, catalog)
    return catalog


def host_changes(settings: Settings, catalog: Catalog) -> HostChanges:
    """All that stands under ``models:``, by recipe name or ``ollama/NAME``, flags checked.

    Raises DocumentError for a model that there is not, UsageError for a flag.
    """
    changes: HostChanges = {}
    for given, each in settings.models.items():
        where = settings.places.where("models", given)
        name, checked = _checked(given, each, where, catalog)
        if name in changes:
            raise DocumentError(f"{where}: the model {name} is there twice")
        changes[name] = checked
    return changes


def check_start(settings: Settings, catalog: Catalog) -> dict[str, int | None]:
    """The models under ``start:`` by recipe name or ``ollama/NAME``, with bytes where given.

    Raises DocumentError for a model that there is not, or that is there twice.
    """
    models: dict[str, int | None] = {}
    for place, text in enumerate(settings.start):
        where = settings.places.where("start", place)
        given, count = parse_start(text)
        name = _name(given, where, catalog)
        if name in models:
            raise DocumentError(f"{where}: the model {name} is there twice")
        models[name] = count
    return models


def _checked(
    given: str, changes: ModelSettings, where: str, catalog: Catalog
) -> tuple[str, ModelSettings]:
    if is_ollama(given):
        return _name(given, where, catalog), _of_ollama(changes, where)
    recipe = _recipe(given, where, catalog)
    if changes.profile == "guide" and recipe.guide is None:
        raise DocumentError(
            f"{where}: {recipe.name} has no guide, and so no profile guide.",
            hint=f"These have one: {', '.join(each.name for each in catalog if each.guide)}.",
        )
    image = changes.image or recipe.serve.image
    flags = _flags(changes.flags, where, version_of(image) if image else None)
    return recipe.name, changes.model_copy(update={"flags": flags})


def _flags(flags: Mapping[str, FlagValue], where: str, version: str | None) -> dict[str, FlagValue]:
    try:
        return {name: _flag(name, value, version) for name, value in flags.items()}
    except UsageError as error:
        raise UsageError(f"{where}: {error.message}", hint=error.hint) from None


def _flag(name: str, value: FlagValue, version: str | None) -> FlagValue:
    """A flag of the recorded version, or of the image's: a start checks for the one that runs."""
    try:
        return check_flag(name, value)
    except UsageError:
        if version is None:
            raise
    return check_flag(name, value, version)


def _of_ollama(changes: ModelSettings, where: str) -> ModelSettings:
    for field in ("profile", "image", "driver"):
        if getattr(changes, field) is not None:
            raise DocumentError(
                f"{where}.{field}: this is for vLLM's models; Ollama's take flags.{_NUM_CTX} alone",
                hint="Ollama's image is containers.images.ollama, for all of its models.",
            )
    for name, value in changes.flags.items():
        _check_num_ctx(name, value, where)
    return changes


def _check_num_ctx(name: str, value: FlagValue, where: str) -> None:
    if name != _NUM_CTX:
        raise UsageError(f"{where}: A model of Ollama's takes {_NUM_CTX} alone, not {name!r}.")
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LONGEST_CONTEXT:
        expected = f"a whole number from 1 to {_LONGEST_CONTEXT:,}"
        raise UsageError(f"{where}: The flag {_NUM_CTX} takes {expected}, not {value!r}.")


def _name(given: str, where: str, catalog: Catalog) -> str:
    if not is_ollama(given):
        return _recipe(given, where, catalog).name
    try:
        return str(parse_ollama(given))
    except UsageError as error:
        raise DocumentError(f"{where}: {error.message}", hint=error.hint) from None


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
