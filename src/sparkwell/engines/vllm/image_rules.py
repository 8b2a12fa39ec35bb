"""Which image a model gets on a machine, and why another one would not work there."""

from collections.abc import Iterator
from dataclasses import dataclass

from sparkwell.catalog.recipe import Recipe
from sparkwell.core.errors import EnvironmentFault
from sparkwell.engines.environments import environment
from sparkwell.engines.vllm import image_words as words
from sparkwell.engines.vllm.image_table import Build
from sparkwell.engines.vllm.images import ImageFacts, facts_of, upstream, version_of
from sparkwell.hardware.machine import Machine
from sparkwell.planner.settings import GB10

GUIDES_IMAGE = "nvcr.io/nvidia/vllm:25.09-py3"
# The makers' own name of a processor, and what `uname -m` calls it.
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class ImageChoice:
    """An image, the version of vLLM in it (None: not known), and why it was taken."""

    image: str
    version: str | None
    why: str


@dataclass(frozen=True, slots=True)
class ImageProblem:
    """What speaks against an image on a machine. ``refused`` False is only a warning.

    ``alternative`` is an image that works there, None where none is known.
    """

    id: str
    why: str
    alternative: str | None = None
    refused: bool = True


def choose_image(recipe: Recipe, machine: Machine, wanted: str | None = None) -> ImageChoice:
    """The image for a model on a machine; ``wanted`` is what somebody set, and wins.

    Raises EnvironmentFault where no image is known: for vLLM's CPU build there is none.
    """
    if wanted:
        return ImageChoice(wanted, version_of(wanted), "You set it.")
    if recipe.serve.environment == "vllm-cpu" or machine.device == "cpu":
        raise _none_for_cpu(recipe)
    if machine.compute_capability == GB10:
        return _for_gb10(recipe)
    version = environment("vllm").version
    why = f"The vLLM project's own image of {version}, whose memory was measured on such GPUs."
    return ImageChoice(upstream(version), version, why)


def check_image(
    image: str, machine: Machine, recipe: Recipe, architecture: str | None = None
) -> tuple[ImageProblem, ...]:
    """What speaks against the image; empty when nothing is known to.

    ``architecture`` is the machine's processor ("arm64", "x86_64"); None: what is known of it.
    """
    facts = facts_of(image)
    if recipe.serve.environment == "vllm-cpu" and not facts.known:
        return ()
    processor = _MACHINES.get(architecture or "", architecture) or architecture_of(machine)
    found = [*_wrong_place(facts, machine, processor), *_wrong_build(facts, machine, recipe)]
    return tuple(found)


def architecture_of(machine: Machine) -> str | None:
    """The processor of a machine by its GPU, as Go names it; None where that does not tell."""
    return "arm64" if machine.compute_capability == GB10 else None


def _for_gb10(recipe: Recipe) -> ImageChoice:
    image = recipe.serve.image or GUIDES_IMAGE
    build = facts_of(image).build
    whose = "The recipe's image" if recipe.serve.image else "The image of the guides"
    measured = "; runs of it on a DGX Spark were measured" if build and build.measured else ""
    return ImageChoice(image, version_of(image), f"{whose}{measured}.")


def _none_for_cpu(recipe: Recipe) -> EnvironmentFault:
    name = recipe.serve.environment
    if name != "vllm-cpu":
        return EnvironmentFault(
            f"{recipe.name} needs an NVIDIA GPU, and this machine has none.",
            hint="`sparkwell hardware --list` names machines to render or plan for.",
        )
    return EnvironmentFault(
        f"No container image is known that serves {recipe.name} on a CPU.",
        hint="Name one of your own in sparkwell.yaml: containers.images.vllm-cpu.",
    )


def _wrong_place(
    facts: ImageFacts, machine: Machine, processor: str | None
) -> Iterator[ImageProblem]:
    """The machine as such: its processor, and whether it has a GPU."""
    if facts.known and machine.device == "cpu":
        why = f"{facts.name} needs an NVIDIA GPU, and this machine has none."
        yield ImageProblem("needs-gpu", why)
    if processor and facts.architectures and processor not in facts.architectures:
        built = " and ".join(facts.architectures)
        why = f"{facts.name} is built for {built}, and this machine is {processor}."
        yield ImageProblem("architecture", why, _instead(facts, machine))


def _wrong_build(facts: ImageFacts, machine: Machine, recipe: Recipe) -> Iterator[ImageProblem]:
    """What the image has in it, against this GPU and this model."""
    if machine.device != "cuda":
        return
    if not facts.known:
        yield _unknown(facts)
    elif machine.compute_capability == GB10:
        yield from _on_gb10(facts, machine, recipe)
    else:
        yield from _on_other_gpu(facts, machine)


def _unknown(facts: ImageFacts) -> ImageProblem:
    why = f"Nothing is known of the image {facts.name}: its vLLM, and whether it runs on this GPU."
    return ImageProblem("unknown-image", why, refused=False)


def _on_gb10(facts: ImageFacts, machine: Machine, recipe: Recipe) -> Iterator[ImageProblem]:
    instead, build = _instead(facts, machine), facts.build
    if facts.floating and facts.tag in (None, "latest"):
        yield ImageProblem("latest", words.latest(facts), instead)
    elif build is None or facts.version is None:
        yield _no_version(facts)
    if build is None:
        return
    if build.gb10 is False:
        yield ImageProblem("gb10-kernels", words.kernels(facts, build), instead)
    elif not _takes_weights(build, recipe):
        yield ImageProblem("gb10-fp8", words.fp8(facts, build, recipe), instead)
    elif facts.cuda != build.cuda:
        yield ImageProblem("other-cuda", words.other_cuda(facts, build), instead, refused=False)


def _on_other_gpu(facts: ImageFacts, machine: Machine) -> Iterator[ImageProblem]:
    build = facts.build
    if build is None or facts.version is None:
        yield _no_version(facts)
    if build and build.sm and machine.compute_capability:
        mine = machine.compute_capability
        # Code for 8.0 runs on 8.6 too, but not on 9.0; code for 8.6 does not run on 8.0.
        if not any(sm[0] == mine[0] and sm[1] <= mine[1] for sm in map(_capability, build.sm)):
            said = f"SM {mine[0]}.{mine[1]}, only for {', '.join(build.sm)}"
            why = f"{facts.name} has no kernels for {said}."
            yield ImageProblem("gpu-kernels", why, _instead(facts, machine))


def _takes_weights(build: Build, recipe: Recipe) -> bool:
    how = recipe.quantization
    if how.weight_bits != 8 or how.activation is None:
        return True
    return (build.fp8_block if how.block else build.fp8_tensor) is not False


def _capability(sm: str) -> tuple[int, int]:
    major, _, minor = sm.partition(".")
    return int(major), int(minor)


def _no_version(facts: ImageFacts) -> ImageProblem:
    why = f"Which vLLM is in {facts.name} is not known, so flags and memory are a guess."
    return ImageProblem("unknown-version", why, refused=False)


def _instead(facts: ImageFacts, machine: Machine) -> str | None:
    """An image that is known to work there, another than this one."""
    if machine.device == "cpu":
        return None
    newer = upstream(environment("vllm").version)
    wanted = GUIDES_IMAGE if machine.compute_capability == GB10 else newer
    return wanted if wanted != facts.name else newer
