"""How a model's engine runs on this machine: as a process of an environment, or in a container."""

import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from sparkwell.app.settings.config import ModelSettings, Settings
from sparkwell.app.settings.forms import is_image
from sparkwell.catalog import Recipe
from sparkwell.core.errors import EnvironmentFault, UsageError
from sparkwell.drivers.environments import Installed
from sparkwell.engines.environments import environment
from sparkwell.engines.vllm.image_rules import ImageChoice, choose_image
from sparkwell.hardware.machine import Machine

Driver = Literal["process", "compose"]
_VERSION = re.compile(r":v?(\d+\.\d+\.\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run an engine. Exactly one of ``environment`` and ``image`` is set.

    ``version`` is the engine's, ``device`` what its build computes on: "cpu" or "cuda".
    """

    version: str
    device: str
    environment: Installed | None = None
    image: str | None = None

    @property
    def driver(self) -> Driver:
        """The driver that takes it."""
        return "process" if self.environment else "compose"


@dataclass(frozen=True, slots=True)
class Ways:
    """Finds the way. ``find`` looks an installed environment up, ``environ`` has PATH.

    ``machine`` looks at this machine; an image is chosen for it. ``changes`` is what the settings
    say of models, by recipe name.
    """

    settings: Settings
    find: Callable[[str], Installed | None]
    environ: Mapping[str, str]
    machine: Callable[[], Machine]
    changes: Mapping[str, ModelSettings] = field(default_factory=dict)

    def way(self, recipe: Recipe, driver: str | None = None, image: str | None = None) -> Way:
        """The way that was asked for; else an installed environment, else a container.

        Raises EnvironmentFault when what it needs is not on this machine, UsageError for an image
        that cannot be the name of one.
        """
        if image is not None:
            check_image_name(image)
        wanted = driver or ("compose" if image else self._wanted(recipe))
        installed = self.find(recipe.serve.environment)
        if wanted == "process" or (wanted == "auto" and installed):
            return _process(recipe, installed)
        if wanted == "compose":
            return _container(recipe, self._chosen(recipe, image))
        if wanted == "auto" and self._has_docker():
            with suppress(EnvironmentFault):
                return _container(recipe, self._chosen(recipe, image))
        raise _not_installed(recipe)

    def image(self, recipe: Recipe) -> str | None:
        """The image that the settings name for the model or its engine, None where none does."""
        own = self.changes.get(recipe.name)
        images = self.settings.containers.images
        return (own and own.image) or images.get(recipe.serve.environment)

    def _chosen(self, recipe: Recipe, image: str | None) -> ImageChoice:
        """Raises EnvironmentFault where no image is known for this machine."""
        return choose_image(recipe, self.machine(), image or self.image(recipe))

    def _wanted(self, recipe: Recipe) -> str:
        own = self.changes.get(recipe.name)
        return (own and own.driver) or self.settings.engines.driver

    def _has_docker(self) -> bool:
        return shutil.which("docker", path=self.environ.get("PATH", "")) is not None


def check_image_name(image: str) -> None:
    """Raise UsageError for what Docker would not take for an image, or take for an option."""
    if not is_image(image):
        raise UsageError(
            f"{image!r} is not the name of a container image.",
            hint="Write it as [REGISTRY/]NAME[:TAG] or NAME@sha256:DIGEST.",
        )


def _process(recipe: Recipe, installed: Installed | None) -> Way:
    if installed is None:
        raise _not_installed(recipe)
    return Way(installed.version, installed.device, environment=installed)


def _container(recipe: Recipe, choice: ImageChoice) -> Way:
    """The version that the image is known to have; else its tag's, else that of our own build."""
    built = environment(recipe.serve.environment)
    tagged = _VERSION.search(choice.image)
    version = choice.version or (tagged[1] if tagged else built.version)
    return Way(version, built.device, image=choice.image)


def _not_installed(recipe: Recipe) -> EnvironmentFault:
    name = recipe.serve.environment
    return EnvironmentFault(
        f"{recipe.name} cannot be started: The engine environment {name} is not installed.",
        hint=f"Run `sparkwell engine install {name}`.",
    )
