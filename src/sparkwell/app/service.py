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
from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.drivers.environments import EnvironmentStore, Installed, library_path
from sparkwell.drivers.hub import cache_folders, find_checkpoint
from sparkwell.engines.vllm import LaunchRequest, check_flags, render

PACKAGE_MODELS = Path(sparkwell.catalog.__file__).parent


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
            return Availability(
                None,
                environment,
                f"The weights of {recipe.repo} are not on this machine.",
                f"Fetch them with `hf download {recipe.repo}` "
                "(from the package huggingface_hub), then try again.",
            )
        return Availability(checkpoint, environment)

    def launch_spec(
        self,
        recipe: Recipe,
        instance: str,
        endpoint: Endpoint,
        overrides: Mapping[str, FlagValue],
    ) -> LaunchSpec:
        """How to launch a model. Raises EnvironmentFault when something is not here."""
        found = self.availability(recipe)
        if found.checkpoint is None or found.environment is None:
            raise EnvironmentFault(
                f"{recipe.name} cannot be started: {found.missing}", hint=found.remedy
            )
        request = LaunchRequest(
            recipe=recipe,
            instance=instance,
            endpoint=endpoint,
            model=str(found.checkpoint),
            python=found.environment.python,
            version=found.environment.version,
            device=found.environment.device,
            cache=str(self.paths.cache),
            libraries=library_path(found.environment.libraries, self._environ),
            overrides={**self._host_flags(recipe), **overrides},
        )
        return render(request)

    def _host_flags(self, recipe: Recipe) -> dict[str, FlagValue]:
        settings = self.settings.models.get(recipe.name)
        if settings is None:
            return {}
        return check_flags(settings.flags, where=f"sparkwell.yaml, models.{recipe.name}")

    def _checkpoint(self, recipe: Recipe) -> Path | None:
        if recipe.bundled:
            return PACKAGE_MODELS / recipe.bundled
        return find_checkpoint(recipe.repo or "", self._folders, recipe.revision)


def load_models(paths: Paths, settings: Settings, more_recipes: tuple[str, ...]) -> Catalog:
    """The catalog with the user's own recipes, those of the settings and ``more_recipes``."""
    named = [Path(folder).expanduser() for folder in (*settings.recipes, *more_recipes)]
    return load_catalog([paths.recipes, *named])
