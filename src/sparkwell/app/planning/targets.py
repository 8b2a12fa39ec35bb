"""What is planned: a model, its relatives in the catalog, and the version of its engine."""

from collections.abc import Mapping
from dataclasses import dataclass

from sparkwell.catalog import Catalog, Recipe
from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import FlagValue
from sparkwell.engines.environments import ENVIRONMENTS
from sparkwell.engines.vllm.images import version_of
from sparkwell.hardware.machine import Machine
from sparkwell.planner.settings import GB10

_FILES = (".gguf",)


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be planned; ``recipe`` is None for a model that the catalog does not have."""

    described: Described
    recipe: Recipe | None = None

    @property
    def guide_flags(self) -> Mapping[str, FlagValue] | None:
        """The flags of the guide for a DGX Spark, or None."""
        return self.recipe.guide.flags if self.recipe and self.recipe.guide else None


def siblings_of(described: Described, catalog: Catalog) -> dict[str, str]:
    """Repositories of the catalog that have the same model, by format ("bf16", "awq")."""
    return {
        _format(recipe): recipe.repo
        for recipe in catalog
        if recipe.repo
        and recipe.name != described.name
        and recipe.architecture.total_parameters == described.shape.total_parameters
        and recipe.architecture.hf_class == described.shape.hf_class
    }


def default_version(recipe: Recipe | None, machine: Machine) -> str:
    """The version of vLLM: that of the recipe's image on a GB10, else the pinned one."""
    image = recipe.serve.image if recipe else None
    known = version_of(image) if image and machine.compute_capability == GB10 else None
    pinned = next(each.version for each in ENVIRONMENTS if each.device == machine.device)
    return known or pinned


def is_path(name: str) -> bool:
    """Whether a model's name is a folder or a file rather than a recipe."""
    return name.startswith((".", "/", "~")) or name.endswith(_FILES)


def _format(recipe: Recipe) -> str:
    method = recipe.quantization.method
    if method == "none":
        return "bf16"
    return "fp8" if method in ("fp8", "modelopt") else method
