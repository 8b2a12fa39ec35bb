"""What the gateway, the admin API and the CLI ask: which models there are, and to serve one."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import sparkwell.catalog
from sparkwell.app.config import Settings
from sparkwell.app.paths import Paths
from sparkwell.catalog import Catalog, Recipe, load_catalog
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import DocumentError, EnvironmentFault, UnknownModelError
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.drivers.environments import EnvironmentStore, Installed, library_path
from sparkwell.drivers.hub import cache_folders, find_checkpoint, is_complete
from sparkwell.engines.vllm import LaunchRequest, check_flags, render

PACKAGE_MODELS = Path(sparkwell.catalog.__file__).parent
HostFlags = dict[str, dict[str, FlagValue]]
"""The flags that this host changes, by recipe name."""


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a model can be started here and now without a download.

    ``missing`` says what is not there, ``remedy`` how to get it; both None when it can.
    """

    checkpoint: Path | None
    environment: Installed | None
    missing: str | None = None
    remedy: str | None = None

    @property
    def startable(self) -> bool:
        """Whether nothing is missing."""
        return self.missing is None


class ModelService:
    """Models of this host: the catalog, what of it is here, and how to launch it."""

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        catalog: Catalog,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.paths = paths
        self.settings = settings
        self.catalog = catalog
        self._environ = dict(os.environ if environ is None else environ)
        self._environments = EnvironmentStore(paths.engines, self._environ)
        self._folders = cache_folders(self._environ, settings.model_folders)
        self._changes = check_models(settings, catalog)

    def availability(self, recipe: Recipe) -> Availability:
        """What a start of this model would find on this machine."""
        checkpoint = self._checkpoint(recipe)
        environment = self._environments.find(recipe.serve.environment)
        if environment is None:
            name = recipe.serve.environment
            return Availability(
                checkpoint,
                None,
                f"The engine environment {name} is not installed.",
                f"Run `sparkwell engine install {name}`.",
            )
        if checkpoint is None:
            missing, remedy = _how_to_get_weights(recipe)
            return Availability(None, environment, missing, remedy)
        return Availability(checkpoint, environment)

    def must_be_startable(self, recipe: Recipe) -> tuple[Path, Installed]:
        """The checkpoint and the environment; raises EnvironmentFault that says what lacks."""
        found = self.availability(recipe)
        if found.checkpoint is None or found.environment is None:
            raise EnvironmentFault(
                f"{recipe.name} cannot be started: {found.missing}", hint=found.remedy
            )
        return found.checkpoint, found.environment

    def launch_spec(
        self,
        recipe: Recipe,
        instance: str,
        endpoint: Endpoint,
        overrides: Mapping[str, FlagValue],
    ) -> LaunchSpec:
        """How to launch a model. Raises EnvironmentFault when something is not here."""
        checkpoint, environment = self.must_be_startable(recipe)
        request = LaunchRequest(
            recipe=recipe,
            instance=instance,
            endpoint=endpoint,
            model=str(checkpoint),
            python=environment.python,
            version=environment.version,
            device=environment.device,
            cache=str(self.paths.cache),
            libraries=library_path(environment.libraries, self._environ),
            overrides={**self._host_flags(recipe), **overrides},
        )
        return render(request)

    def flags(self, recipe: Recipe) -> dict[str, FlagValue]:
        """The flags that the model would start with here."""
        return {**recipe.serve.flags, **self._host_flags(recipe)}

    def _host_flags(self, recipe: Recipe) -> dict[str, FlagValue]:
        return self._changes.get(recipe.name, {})

    def _checkpoint(self, recipe: Recipe) -> Path | None:
        if recipe.bundled:
            folder = PACKAGE_MODELS / recipe.bundled
            return folder if is_complete(folder) else None
        return find_checkpoint(recipe.repo or "", self._folders, recipe.revision)


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


def _how_to_get_weights(recipe: Recipe) -> tuple[str, str]:
    """What is missing, and the remedy."""
    if recipe.bundled:
        folder = PACKAGE_MODELS / recipe.bundled
        missing = f"Sparkwell has no checkpoint {recipe.bundled} (no whole one in {folder})."
        return missing, "Correct `bundled` in the recipe, or set `repo` instead."
    missing = f"The weights of {recipe.repo} are not on this machine."
    fetch = f"Fetch them with `hf download {recipe.repo}`"
    return missing, f"{fetch} (from the package huggingface_hub), then try again."
