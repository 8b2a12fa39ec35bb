"""What the gateway, the admin API and the CLI ask: which models there are, and to serve one."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import sparkwell.catalog
from sparkwell.app.config import Settings
from sparkwell.app.models import check_models
from sparkwell.app.paths import Paths
from sparkwell.app.planning import Planning
from sparkwell.app.starting import StartWish, start_flags
from sparkwell.catalog import Catalog, Recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.drivers.environments import EnvironmentStore, Installed, library_path
from sparkwell.drivers.hub import cache_folders, find_checkpoint, is_complete
from sparkwell.engines.vllm import LaunchRequest, render

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
        self._changes = check_models(settings, catalog)
        self.planning = Planning(paths, catalog, self._environ, settings.model_folders)

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
        flags: Mapping[str, FlagValue],
    ) -> LaunchSpec:
        """How to launch a model with these flags, and no others.

        Raises EnvironmentFault when something is not here.
        """
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
            flags=flags,
        )
        return render(request)

    def start_flags(self, recipe: Recipe, wish: StartWish) -> dict[str, FlagValue]:
        """All flags of a start: the profile's, this host's settings, then the wish's own.

        Raises EnvironmentFault when something is not here, ConflictError when it does not fit.
        """
        _, environment = self.must_be_startable(recipe)
        every = {**self._host_flags(recipe), **wish.flags}
        return start_flags(self.planning, recipe, environment, replace(wish, flags=every))

    def flags(self, recipe: Recipe) -> dict[str, FlagValue]:
        """The recipe's flags with this host's changes; a profile may choose others."""
        return {**recipe.serve.flags, **self._host_flags(recipe)}

    def _host_flags(self, recipe: Recipe) -> dict[str, FlagValue]:
        return self._changes.get(recipe.name, {})

    def _checkpoint(self, recipe: Recipe) -> Path | None:
        if recipe.bundled:
            folder = PACKAGE_MODELS / recipe.bundled
            return folder if is_complete(folder) else None
        return find_checkpoint(recipe.repo or "", self._folders, recipe.revision)


def _how_to_get_weights(recipe: Recipe) -> tuple[str, str]:
    """What is missing, and the remedy."""
    if recipe.bundled:
        folder = PACKAGE_MODELS / recipe.bundled
        missing = f"Sparkwell has no checkpoint {recipe.bundled} (no whole one in {folder})."
        return missing, "Correct `bundled` in the recipe, or set `repo` instead."
    missing = f"The weights of {recipe.repo} are not on this machine."
    fetch = f"Fetch them with `hf download {recipe.repo}`"
    return missing, f"{fetch} (from the package huggingface_hub), then try again."
