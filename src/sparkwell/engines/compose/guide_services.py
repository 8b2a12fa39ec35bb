"""The services as the hand-written guides have them, before any correction.

A model that no guide has a service for gets one of the same pattern, with its recipe's flags.
"""

from collections.abc import Mapping

from sparkwell.catalog.recipe import FlagValue, Recipe
from sparkwell.core.launch import Container, Mount
from sparkwell.engines.compose.changes import with_image
from sparkwell.engines.compose.changes_vllm import OLD_TOKEN, TOKEN
from sparkwell.engines.compose.draft import DOWNLOAD_DIR, Draft
from sparkwell.engines.compose.service import ANY_ADDRESS, Service
from sparkwell.engines.vllm.containers import HUB, IPC, LIMITS, PORT, PROGRAM, weights_in
from sparkwell.engines.vllm.flags import refuse_owned

FOLDER = "/opt/hf"
RESTART = "unless-stopped"
FIRST = "vllm-qwen3-32b"
"""The service that the guides start with a plain `docker compose up -d`."""
GUIDES_MODELS = (
    "qwen3-32b",
    "qwen3-32b-fp8",
    "qwen3-8b-fp8",
    "qwen3-30b-a3b-fp8",
    "llama33-70b-fp8",
    "mistral-nemo-12b-fp8",
    "llama31-8b-fp8",
)
"""The models that the guides are about, or compare and link to as served there."""
_URL = f"http://127.0.0.1:{PORT}/health"
_PYTHON = f"import urllib.request as r; r.urlopen('{_URL}', timeout=5)"
# Not every image has curl, and not every one has python3 in its path.
PROBE = ("sh", "-c", f'curl -fsS -o /dev/null {_URL} || python3 -c "{_PYTHON}"')
# The guide of these two gives neither ipc nor limits; the other guides do.
_WITHOUT_LIMITS = frozenset({"qwen3-32b", "qwen3-32b-fp8"})


def service_name(recipe: Recipe) -> str:
    """The guide's name of a model's service, or one of the same pattern."""
    return recipe.guide.service if recipe.guide else f"vllm-{recipe.name}"


def vllm_draft(
    recipe: Recipe,
    image: str,
    *,
    folder: str = FOLDER,
    overrides: Mapping[str, FlagValue] | None = None,
) -> Draft:
    """A vLLM service on an NVIDIA GPU. ``folder`` is the host's Hugging Face cache.

    Raises UsageError for a flag that is Sparkwell's own: a token would be in the file.
    """
    guide = recipe.guide
    own = {DOWNLOAD_DIR: HUB, **recipe.serve.flags}
    refuse_owned({**own, **(guide.flags if guide else {})}, where=f"recipe {recipe.name}")
    revision = {"revision": recipe.revision} if recipe.revision else {}
    limited = recipe.name not in _WITHOUT_LIMITS
    container = Container(
        image=image,
        name=service_name(recipe),
        port=PORT,
        mounts=(Mount(folder, HUB),),
        gpus=True,
        ipc=IPC if limited else None,
        ulimits=LIMITS if limited else {},
    )
    draft = Draft(
        service=_service(
            container,
            host_variables={TOKEN: TOKEN, OLD_TOKEN: TOKEN},
            environment=recipe.serve.env,
            profiles=(guide.compose_profile,) if guide and guide.compose_profile else (),
        ),
        probe=PROBE,
        recipe=recipe,
        program=PROGRAM,
        model=recipe.repo or recipe.name,
        flags={**(guide.flags if guide else own), **revision, **(overrides or {})},
    )
    return with_image(draft, image)


def bundled_draft(
    recipe: Recipe,
    image: str,
    checkpoint: str,
    *,
    mounts: tuple[Mount, ...] = (),
    environment: Mapping[str, str],
    flags: Mapping[str, FlagValue],
) -> Draft:
    """A model that comes with Sparkwell, on vLLM's CPU build: no GPU, nothing to fetch."""
    weights = weights_in(checkpoint, recipe.name)
    container = Container(
        image=image,
        name=service_name(recipe),
        port=PORT,
        mounts=(weights.mount, *mounts),
        ipc=IPC,
    )
    draft = Draft(
        service=_service(container, environment=environment),
        probe=PROBE,
        recipe=recipe,
        program=PROGRAM,
        model=weights.model,
        names=recipe.aliases,
        flags=flags,
    )
    return with_image(draft, image)


def _service(
    container: Container,
    *,
    environment: Mapping[str, str],
    host_variables: Mapping[str, str] | None = None,
    profiles: tuple[str, ...] = (),
) -> Service:
    return Service(
        name=container.name,
        container=container,
        environment=environment,
        host_variables=host_variables or {},
        ports={container.port: container.port},
        address=ANY_ADDRESS,
        restart=RESTART,
        profiles=profiles,
    )
