"""What the gateway, the admin API and the CLI ask: which models there are, and to serve one."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import sparkwell.catalog
from sparkwell.app.budget import reserved_bytes
from sparkwell.app.daemon.back_ends import choose_back_end, sleep_flags
from sparkwell.app.launching.flags import Chosen, StartWish, choose_flags, profile_flags
from sparkwell.app.launching.ways import Way, Ways
from sparkwell.app.models import host_changes
from sparkwell.app.paths import Paths
from sparkwell.app.planning.planning import Planning
from sparkwell.app.served import Served, served
from sparkwell.app.settings.config import ModelSettings, Settings
from sparkwell.app.settings.forms import parse_mount
from sparkwell.catalog import Catalog, Recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.drivers.environments import EnvironmentStore, library_path
from sparkwell.drivers.hub import cache_folders, find_checkpoint, is_complete
from sparkwell.engines.vllm import LaunchRequest, render
from sparkwell.engines.vllm.containers import ContainerRequest, container_spec
from sparkwell.engines.vllm.sleep import BackEnd
from sparkwell.hardware.cores import usable_cores

PACKAGE_MODELS = Path(sparkwell.catalog.__file__).parent


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a model can be started here and now without a download.

    ``missing`` says what is not there, ``remedy`` how to get it; both None when it can.
    """

    checkpoint: Path | None
    way: Way | None
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
        self.environ = dict(os.environ if environ is None else environ)
        self.environments = EnvironmentStore(paths.engines, self.environ)
        self._changes = host_changes(settings, catalog)
        self.planning = Planning(paths, catalog, self.environ, settings.weight_folders)
        here = lambda: self.planning.here  # noqa: E731 - looked at only when it is needed
        self.ways = Ways(settings, self.environments.find, self.environ, here, self._changes)

    def use(self, settings: Settings) -> list[str]:
        """Go by what other settings say under ``models:``, from the next start on.

        All else stays as the daemon began with it. Returns the models of which something else is
        said now. Raises as ``host_changes``: then nothing is otherwise than before.
        """
        changes = host_changes(settings, self.catalog)
        others = [name for name in Settings.model_fields if name != "models"]
        kept = {name: getattr(self.settings, name) for name in others}
        before, self._changes = self._changes, changes
        self.settings = settings.model_copy(update=kept)
        self.ways = replace(self.ways, settings=self.settings, changes=changes)
        return [name for name in {**before, **changes} if before.get(name) != changes.get(name)]

    def served(self, name: str) -> Served:
        """The model that a name means; raises UnknownModelError with near names."""
        return served(name, self.catalog)

    def availability(self, recipe: Recipe) -> Availability:
        """What a start of this model would find on this machine."""
        checkpoint = self.checkpoint(recipe)
        try:
            way = self.ways.way(recipe)
        except EnvironmentFault as error:
            missing = error.message.partition("cannot be started: ")[2] or error.message
            return Availability(checkpoint, None, missing, error.hint)
        if checkpoint is None:
            missing, remedy = _how_to_get_weights(recipe)
            return Availability(None, way, missing, remedy)
        return Availability(checkpoint, way)

    def must_be_fetchable(self, recipe: Recipe) -> None:
        """Raise EnvironmentFault for a model whose weights are not here and cannot be fetched."""
        if recipe.bundled and self.checkpoint(recipe) is None:
            missing, remedy = _how_to_get_weights(recipe)
            raise EnvironmentFault(f"{recipe.name} cannot be started: {missing}", hint=remedy)

    def launch_spec(
        self,
        recipe: Recipe,
        instance: str,
        endpoint: Endpoint,
        flags: Mapping[str, FlagValue],
        way: Way,
        checkpoint: Path | None,
    ) -> LaunchSpec:
        """How to launch a model with these flags, and no others.

        A spec without a checkpoint names the repository: it is for looking at, not for launching.
        """
        if way.environment is None:
            return container_spec(
                ContainerRequest(
                    recipe=recipe,
                    instance=instance,
                    endpoint=endpoint,
                    image=way.image or "",
                    version=way.version,
                    device=way.device,
                    checkpoint=str(checkpoint) if checkpoint else None,
                    flags=flags,
                    mounts=tuple(map(parse_mount, self.settings.containers.mounts)),
                    name=recipe.guide.service if recipe.guide else None,
                    cores=usable_cores(),
                )
            )
        request = LaunchRequest(
            recipe=recipe,
            instance=instance,
            endpoint=endpoint,
            model=str(checkpoint or recipe.repo),
            python=way.environment.python,
            version=way.version,
            device=way.device,
            cache=str(self.paths.cache),
            libraries=library_path(way.environment.libraries, self.environ),
            flags=flags,
            cores=usable_cores(),
        )
        return render(request)

    def choose_flags(self, recipe: Recipe, way: Way, wish: StartWish) -> Chosen:
        """All flags of a start: the profile's, this host's settings, then the wish's own.

        Raises ConflictError when it does not fit.
        """
        return choose_flags(self.planning, recipe, way, self.with_changes(recipe, way, wish))

    def profile_flags(self, recipe: Recipe, way: Way, wish: StartWish) -> dict[str, FlagValue]:
        """The flags of a start on a GPU that has it for itself, whether they fit or not."""
        return profile_flags(self.planning, recipe, way, self.with_changes(recipe, way, wish))

    def with_changes(self, recipe: Recipe, way: Way | None, wish: StartWish) -> StartWish:
        """The wish with what this host's settings and the way to make room add to it.

        ``way`` is None where the engine is not installed: it needs nothing for sleep then. Raises
        ConflictError for a way to make room that the engine has not.
        """
        back_end = self.back_end(recipe, way) if way else BackEnd.COLD
        return replace(
            wish,
            flags={**self._host_flags(recipe), **wish.flags},
            profile=wish.profile or self.changes(recipe).profile,
            placed={**sleep_flags(back_end), **wish.placed},
            reserved_bytes=self.reserved_bytes,
            sleep_level=back_end.level or None,
        )

    @property
    def reserved_bytes(self) -> int:
        """What switching.budget_gib keeps from all engines together; 0 where it sets no limit."""
        if self.settings.switching.budget_gib is None:  # then nobody looks at the machine
            return 0
        return reserved_bytes(self.settings, self.planning.here)

    def flags(self, recipe: Recipe) -> dict[str, FlagValue]:
        """The recipe's flags with this host's changes; a profile may choose others."""
        return {**recipe.serve.flags, **self._host_flags(recipe)}

    def changes(self, recipe: Recipe) -> ModelSettings:
        """What the settings of this host say of a model."""
        return self.changes_of(recipe.name)

    def changes_of(self, name: str) -> ModelSettings:
        """The same by a recipe's name, or ``ollama/NAME``."""
        return self._changes.get(name, ModelSettings())

    def back_end(self, recipe: Recipe, way: Way) -> BackEnd:
        """How the model makes room for another here.

        Raises ConflictError for a setting that its engine cannot follow.
        """
        wanted = self.changes(recipe).back_end or self.settings.switching.back_end
        return choose_back_end(wanted, recipe, way, lambda: self.planning.here)

    def checkpoint(self, recipe: Recipe) -> Path | None:
        """The folder of the model's weights if they are here, whole."""
        if recipe.bundled:
            folder = PACKAGE_MODELS / recipe.bundled
            return folder if is_complete(folder) else None
        folders = cache_folders(self.environ, self.settings.weight_folders)
        return find_checkpoint(recipe.repo or "", folders, recipe.revision)

    def _host_flags(self, recipe: Recipe) -> dict[str, FlagValue]:
        return self.changes(recipe).flags


def _how_to_get_weights(recipe: Recipe) -> tuple[str, str]:
    """What is missing, and the remedy."""
    if recipe.bundled:
        folder = PACKAGE_MODELS / recipe.bundled
        missing = f"Sparkwell has no checkpoint {recipe.bundled} (no whole one in {folder})."
        return missing, "Correct `bundled` in the recipe, or set `repo` instead."
    missing = f"The weights of {recipe.repo} are not on this machine."
    return missing, f"`sparkwell pull {recipe.name}` fetches them, and so does `sparkwell up`."
