"""An image is checked before anything is rendered or started with it."""

import logging

from sparkwell.catalog import Recipe
from sparkwell.core.errors import ConflictError
from sparkwell.engines.vllm.image_rules import ImageProblem, check_image
from sparkwell.hardware.machine import Machine

logger = logging.getLogger(__name__)


def require_image(
    image: str,
    machine: Machine,
    recipe: Recipe,
    *,
    architecture: str | None = None,
    force: bool = False,
) -> tuple[ImageProblem, ...]:
    """Raise ConflictError for an image that cannot work there, with the reason and another one.

    A forced one is logged instead. ``architecture`` is the machine's processor, None where only
    its GPU tells. Returns the warnings, for the caller to show.
    """
    found = check_image(image, machine, recipe, architecture)
    refusals = [problem for problem in found if problem.refused]
    if refusals and not force:
        raise _refusal(refusals, machine, recipe)
    for problem in refusals:
        logger.warning("Taking the image for %s all the same: %s", recipe.name, problem.why)
    return tuple(problem for problem in found if not problem.refused)


def _refusal(refusals: list[ImageProblem], machine: Machine, recipe: Recipe) -> ConflictError:
    """All reasons at once; each alternative works, so one is enough."""
    alternative = next((each.alternative for each in refusals if each.alternative), None)
    ways = [f"- --image {alternative} works there."] if alternative else []
    why = " ".join(problem.why for problem in refusals)
    return ConflictError(
        f"{recipe.name} cannot be served on {machine.name} from this image: {why}",
        hint="\n".join([*ways, "- --force takes it all the same, and the log says so."]),
    )
