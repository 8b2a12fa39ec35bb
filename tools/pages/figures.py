"""Every plan that the pages show, made once: the contract's JSON document by model and profile."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sparkwell.app.paths import Paths
from sparkwell.app.planning.planning import Planning, Target, Wish, default_version
from sparkwell.catalog import Recipe
from sparkwell.catalog.catalog import load_catalog
from sparkwell.catalog.described import Described
from sparkwell.catalog.tuned import goal_of
from sparkwell.core.errors import SparkwellError
from sparkwell.engines.environments import environment
from sparkwell.hardware.machine import Machine
from sparkwell.planner.plan import make_plan
from sparkwell.planner.profile_names import PROFILES
from sparkwell.planner.report import contract

Json = dict[str, Any]
SPARK, TWO_SPARKS, CPU = "dgx-spark", "dgx-spark-x2", "cpu"
BALANCED, GUIDE = "balanced", "guide"


@dataclass(frozen=True)
class Figures:
    """The planner with nothing of this machine: the shipped recipes and described hardware."""

    planning: Planning
    recipes: tuple[Recipe, ...]

    @cached_property
    def spark(self) -> Machine:
        """The DGX Spark."""
        return self.planning.machine(SPARK)

    @cached_property
    def models(self) -> dict[str, "Model"]:
        """All recipes by name."""
        return {recipe.name: Model(self, recipe) for recipe in self.recipes}

    @property
    def on_spark(self) -> list["Model"]:
        """Those that are meant for a DGX Spark."""
        return [model for model in self.models.values() if model.hardware == SPARK]

    def plan(self, target: Target, wish: Wish) -> Json:
        """One plan; ``error`` alone is set where there is none."""
        try:
            return contract(make_plan(self.planning.question(target, wish)))
        except SparkwellError as error:
            return {"error": error.message, "fits": False}

    def plan_described(self, described: Described, wish: Wish) -> Json:
        """The plan of a model that the catalog does not have."""
        return self.plan(Target(described), wish)


@dataclass(frozen=True)
class Model:
    """One recipe and its plans."""

    figures: Figures
    recipe: Recipe

    @property
    def hardware(self) -> str:
        """Where it is planned: the demo models run without a GPU."""
        return CPU if self.recipe.serve.environment == "vllm-cpu" else SPARK

    @cached_property
    def machine(self) -> Machine:
        """That machine."""
        return self.figures.planning.machine(self.hardware)

    @cached_property
    def target(self) -> Target:
        """What is planned."""
        return self.figures.planning.target(self.recipe.name)

    @property
    def version(self) -> str:
        """The version of vLLM in the recipe's image, or the environment's where there is none."""
        return default_version(self.recipe, self.machine)

    @property
    def native_version(self) -> str:
        """The version of vLLM in Sparkwell's own environment."""
        return environment(self.recipe.serve.environment).version

    @cached_property
    def profiles(self) -> Mapping[str, Json]:
        """A plan for each profile; the guide's only where there is a guide."""
        untuned = [name for name in PROFILES if goal_of(name) is None]
        names = [name for name in untuned if name != GUIDE or self.recipe.guide]
        return {name: self.plan(profile=name) for name in names}

    @property
    def balanced(self) -> Json:
        """The plan that counts where nothing else is said."""
        return self.profiles[BALANCED]

    @cached_property
    def native(self) -> Json:
        """The balanced plan with the vLLM of Sparkwell's own environment."""
        return self.plan(version=self.native_version)

    def plan(self, **wish: Any) -> Json:
        """A plan on this model's machine, unless ``hardware`` says otherwise."""
        return self.figures.plan(self.target, Wish(**{"hardware": self.hardware, **wish}))


def gather() -> Figures:
    """The figures of the shipped catalog, whatever machine this is."""
    nowhere = Path("/nonexistent")
    paths = Paths(config=nowhere, data=nowhere, state=nowhere, cache=nowhere)
    catalog = load_catalog()
    return Figures(Planning(paths, catalog, {}), tuple(catalog))


def tags_of(recipe: Recipe) -> frozenset[str]:
    """What kind of model it is, for the troubles that concern it."""
    how, shape, repo = recipe.quantization, recipe.architecture, recipe.repo or ""
    eight = how.weight_bits == 8 and how.activation is not None
    kinds = {
        "spark": recipe.serve.environment == "vllm",
        "cpu": recipe.serve.environment == "vllm-cpu",
        "hub": bool(repo),
        "fp8": eight,
        "block-fp8": eight and how.block is not None,
        "bf16-32b": recipe.name == "qwen3-32b",
        "moe": shape.moe is not None,
        "kv-declared": how.kv_cache_dtype is not None,
        "lying-config": shape.max_position_embeddings > 4 * shape.native_context,
        "thinks": thinks(recipe),
    }
    return frozenset(name for name, holds in kinds.items() if holds)


def thinks(recipe: Recipe) -> bool:
    """Whether it thinks before it answers, as Qwen3 does in all but the Instruct releases."""
    repo = recipe.repo or ""
    return repo.startswith("Qwen/Qwen3-") and "Instruct" not in repo


def precision(recipe: Recipe) -> str:
    """How the weights are stored: FP8 by blocks of 128 x 128, AWQ 4-bit, BF16."""
    how = recipe.quantization
    if how.weight_bits == 16:
        return "BF16" if how.dtype == "bfloat16" else "FP16"
    if how.weight_bits == 8:
        scales = "by block" if how.block else "one scale a tensor"
        return f"FP8, {scales}"
    return f"{how.method.upper()}, {how.weight_bits} bits, groups of {how.group_size}"


def utilization(plan: Json) -> str:
    """The utilization of a plan's flags."""
    given = plan.get("flags", {}).get("gpu_memory_utilization")
    return "default" if given is None else f"{given:.2f}"
