"""What `sparkwell init` finds on this machine: asked once, nothing changed."""

import http.client
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sparkwell.app.planning.planning import Planning, Wish
from sparkwell.app.settings.config import GatewaySettings
from sparkwell.catalog import Recipe
from sparkwell.checks.docker_parts import Docker
from sparkwell.checks.host_parts import Folder, Port
from sparkwell.checks.model_parts import Token
from sparkwell.core.errors import SparkwellError
from sparkwell.doctor.docker import look_at_docker, running_containers
from sparkwell.doctor.folders import look_at_folder
from sparkwell.doctor.ports import look_at_port, with_containers
from sparkwell.doctor.token import look_at_token
from sparkwell.drivers.hub import SHARED, cache_folders, find_checkpoint
from sparkwell.engines.environments import environment
from sparkwell.engines.ollama import PORT as OLLAMA_PORT
from sparkwell.hardware.machine import Machine

OLLAMA = Path("/opt/ollama")
DEMO = "demo-qwen3"
"""The one that `sparkwell demo` starts."""
_OLLAMA_LIMIT_S = 2.0
_MOST_ANSWERED = 4096


@dataclass(frozen=True, slots=True)
class Fit:
    """A model of the catalog on this machine, by its plan for the default profile.

    ``context`` is in tokens, ``tokens_per_s`` those of one stream, None where the memory's
    bandwidth is unknown. ``why_not`` is the plan's first problem, None when it fits. ``here``:
    its weights are on this machine; ``demo``: they come with Sparkwell.
    """

    model: str
    here: bool
    demo: bool
    tokens_per_s: float | None = None
    context: int | None = None
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that was found. ``ollama`` is the version of one that answers on its port."""

    machine: Machine
    docker: Docker
    port: Port
    weights: Folder
    ollama_folder: Folder
    ollama: str | None
    token: Token
    models: tuple[Fit, ...]

    @property
    def fitting(self) -> list[Fit]:
        """What fits: what is here first, then the fastest."""
        found = [each for each in self.models if each.why_not is None]
        return sorted(found, key=_rank)

    @property
    def recommended(self) -> Fit | None:
        """The model to begin with: the fastest of those that are here, else of all that fit."""
        return next(iter(self.fitting), None)

    @property
    def docker_has_gpu(self) -> bool:
        """Whether Docker says that it can give a container NVIDIA's GPUs."""
        docker = self.docker
        return "nvidia" in docker.runtimes or bool(docker.gpu_devices) or docker.gpu_hook


def _rank(fit: Fit) -> tuple[bool, bool, bool, float]:
    return (fit.demo, fit.demo and fit.model != DEMO, not fit.here, -(fit.tokens_per_s or 0))


async def look(
    planning: Planning,
    recipes: Iterable[Recipe],
    environ: Mapping[str, str],
    folder: Path,
    *,
    hardware: str | None = None,
) -> Look:
    """Look at this machine; ``hardware`` plans for a described one instead.

    ``folder`` is where a .env may lie: that it has a token is said, the token is not read on.
    Raises SparkwellError where not even the memory of the machine is known.
    """
    gateway = GatewaySettings()
    containers = await running_containers(environ)
    return Look(
        machine=planning.machine(hardware),
        docker=await look_at_docker(environ),
        port=with_containers(look_at_port(gateway.host, gateway.port), containers or ()),
        weights=look_at_folder("cache", SHARED),
        ollama_folder=look_at_folder("cache", OLLAMA),
        ollama=_ollama_version(),
        token=look_at_token(environ, [folder]),
        models=tuple(_fits(planning, recipes, environ, hardware)),
    )


def _fits(
    planning: Planning, recipes: Iterable[Recipe], environ: Mapping[str, str], hardware: str | None
) -> Iterable[Fit]:
    device = planning.machine(hardware).device
    caches = cache_folders(environ, [str(SHARED)])
    for recipe in recipes:
        if environment(recipe.serve.environment).device == device:
            yield _fit(planning, recipe, caches, hardware)


def _fit(planning: Planning, recipe: Recipe, caches: Sequence[Path], hardware: str | None) -> Fit:
    here = not recipe.repo or bool(find_checkpoint(recipe.repo, caches, recipe.revision))
    demo = not recipe.repo
    try:
        plan = planning.plan(recipe.name, Wish(hardware))
    except SparkwellError as error:
        return Fit(recipe.name, here, demo, why_not=error.message)
    return Fit(
        model=recipe.name,
        here=here,
        demo=demo,
        tokens_per_s=plan.speed.single_tokens_per_s if plan.speed else None,
        context=plan.settings.max_model_len,
        why_not=plan.problems[0].message if plan.problems else None,
    )


def _ollama_version() -> str | None:
    """The version of the Ollama that answers on its port; None where none does."""
    connection = http.client.HTTPConnection("127.0.0.1", OLLAMA_PORT, timeout=_OLLAMA_LIMIT_S)
    with suppress(OSError, ValueError, AttributeError, http.client.HTTPException):
        connection.request("GET", "/api/version")
        answer = json.loads(connection.getresponse().read(_MOST_ANSWERED))
        return str(answer["version"])[:40] if "version" in answer else None
    return None
