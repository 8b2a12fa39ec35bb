"""What pre-flight has to look at, for one start on this host."""

import platform
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sparkwell.app.launching.fetching import Fetching
from sparkwell.app.launching.flags import StartWish
from sparkwell.app.launching.ways import Driver, Way
from sparkwell.app.lock import is_held
from sparkwell.app.paths import Paths
from sparkwell.app.service import ModelService
from sparkwell.catalog import Recipe
from sparkwell.checks.docker_parts import Image
from sparkwell.checks.image import ARCHITECTURES
from sparkwell.checks.model_parts import Environment, Repo, Request
from sparkwell.core.errors import EnvironmentFault
from sparkwell.doctor.scope import Checkpoint, Scope
from sparkwell.engines.environments import environment
from sparkwell.engines.vllm.image_rules import check_image
from sparkwell.engines.vllm.images import ImageFacts, facts_of

# What the image's own check calls it; that there is no GPU is a finding without any image.
NEEDS_GPU = "needs-gpu"


@dataclass(frozen=True, slots=True)
class Asked:
    """A start to be looked at.

    ``way`` None means that it is found here; where there is none, that is a finding. ``ends``
    are models that end before this one starts. ``deep`` starts a container to see the GPU from
    inside, which takes about a second.
    """

    recipe: Recipe
    wish: StartWish = field(default_factory=StartWish)
    way: Way | None = None
    ends: tuple[str, ...] = ()
    token_folders: tuple[Path, ...] = ()
    deep: bool = False


def find_way(models: ModelService, asked: Asked) -> Way | None:
    """How the engine would run here; None when what that needs is not here."""
    with suppress(EnvironmentFault):
        return models.ways.way(asked.recipe, asked.wish.driver, asked.wish.image)
    return None


def scope_of(models: ModelService, asked: Asked, way: Way | None) -> Scope:
    """What a collection for this start has to look at."""
    gateway = models.settings.gateway
    request = _request(models, asked, way)
    return Scope(
        environ=models.environ,
        request=request,
        environment=_environment(models, asked.recipe),
        image=_image(models, asked, way) if request.driver == "compose" else None,
        repo=_repo(asked.recipe),
        checkpoint=_checkpoint(models, asked),
        token_folders=asked.token_folders,
        ports=((gateway.host, gateway.port),),
        state=models.paths.state,
        daemon_pid=daemon_pid(models.paths),
        deep=asked.deep,
    )


def daemon_pid(paths: Paths) -> int | None:
    """The process of this Sparkwell's daemon, which its lock names; None when none runs."""
    with suppress(OSError, ValueError):
        return int(paths.lock.read_text(encoding="ascii")) if is_held(paths.lock) else None
    return None


def _request(models: ModelService, asked: Asked, way: Way | None) -> Request:
    name = asked.recipe.serve.environment
    return Request(
        model=asked.recipe.name,
        driver=way.driver if way else _driver(models, asked),
        device="cpu" if environment(name).device == "cpu" else "cuda",
        environment=name,
        engine=asked.recipe.serve.engine,
        engine_version=way.version if way else None,
        ends=asked.ends,
    )


def _driver(models: ModelService, asked: Asked) -> Driver:
    """The driver of a start that lacks what it needs: as asked for, else a process."""
    own = models.changes(asked.recipe).driver or models.settings.engines.driver
    wanted = asked.wish.driver or ("compose" if asked.wish.image else own)
    return "compose" if wanted == "compose" else "process"


def _environment(models: ModelService, recipe: Recipe) -> Environment:
    found = models.environments.find(recipe.serve.environment)
    return Environment(recipe.serve.environment, found.version if found else None)


def _image(models: ModelService, asked: Asked, way: Way | None) -> Image | None:
    """The image and what is known of it by its name."""
    recipe = asked.recipe
    set_here = asked.wish.image or models.ways.image(recipe)
    name = (way and way.image) or set_here or recipe.serve.image
    if name is None:
        return None
    found = check_image(name, models.planning.here, recipe, platform.machine())
    refusal = next((each for each in found if each.refused and each.id != NEEDS_GPU), None)
    known = facts_of(name)
    return Image(
        name,
        architecture=_architecture(known),
        cuda_version=known.cuda,
        refusal=refusal.why if refusal else None,
        instead=refusal.alternative if refusal else None,
        doubts=tuple(each.why for each in found if not each.refused),
    )


def _architecture(known: ImageFacts) -> str | None:
    """Of an image that is built for several processors Docker takes this machine's."""
    host = ARCHITECTURES.get(platform.machine())
    return host if host in known.architectures else None


def _repo(recipe: Recipe) -> Repo | None:
    licence = recipe.licence
    return Repo(recipe.repo, licence.gated, licence.name, _page(recipe)) if recipe.repo else None


def _page(recipe: Recipe) -> str:
    return f"https://huggingface.co/{recipe.repo}"


def _checkpoint(models: ModelService, asked: Asked) -> Checkpoint:
    recipe = asked.recipe
    snapshot = models.checkpoint(recipe)
    if recipe.repo is None:
        return Checkpoint(recipe.weights_bytes, snapshot, bundled=True)
    fetching = Fetching(models.settings, models.environ, asked.token_folders)
    return Checkpoint(
        total_bytes=recipe.weights_bytes,
        snapshot=snapshot,
        folders=tuple(fetching.folders),
        target=_target(fetching, recipe.repo),
    )


def _target(fetching: Fetching, repo: str) -> Path | None:
    """None for a user without a home who named no folder."""
    with suppress(EnvironmentFault):
        return fetching.target(repo)
    return None
