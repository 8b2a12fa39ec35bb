"""Why an image does not work on a GB10, in sentences."""

from sparkwell.catalog.recipe import Recipe
from sparkwell.engines.vllm.image_table import Build
from sparkwell.engines.vllm.images import ImageFacts


def latest(facts: ImageFacts) -> str:
    """A tag that moves, on a GB10."""
    return (
        f"{facts.name} names no version, so nobody can say what it will be: the vLLM project's "
        "images before 0.20 (CUDA 12.9, FP8 kernels for SM 12.0 alone) do not work on a GB10, "
        "later ones do, and memory and flags differ by version."
    )


def kernels(facts: ImageFacts, build: Build) -> str:
    """No code for the GB10."""
    said = f"vLLM {facts.version}, CUDA {facts.cuda}"
    return f"{facts.name} ({said}) does not work on the GB10 (SM 12.1): {build.notes}."


def other_cuda(facts: ImageFacts, build: Build) -> str:
    """A toolkit that nobody is known to have run there."""
    return (
        f"{facts.name} is built with CUDA {facts.cuda}; what is known to run on the GB10 is the "
        f"build with CUDA {build.cuda}."
    )


def fp8(facts: ImageFacts, build: Build, recipe: Recipe) -> str:
    """No code for the model's weights on the GB10."""
    how = "by block" if recipe.quantization.block else "with one scale a tensor"
    return (
        f"{facts.name} is not known to compute FP8 weights {how}, as {recipe.name} has them, on "
        f"the GB10: {build.notes}."
    )
