"""vLLM in a container that Sparkwell manages: where things lie in it, as a LaunchSpec."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from sparkwell.catalog.recipe import FlagValue, Recipe
from sparkwell.core.launch import Container, Endpoint, LaunchSpec, Mount
from sparkwell.engines.vllm.flags import check_flags
from sparkwell.engines.vllm.images import facts_of
from sparkwell.engines.vllm.launch import environment, labels, written

PORT = 8000
HUB = "/root/.cache/huggingface"
MODELS = "/models"
CACHE = "/root/.cache/sparkwell"
CACHE_VOLUME = "sparkwell-cache"
STOP_GRACE_S = 60.0
PROGRAM = ("vllm", "serve")
# What a closed root file system leaves to be written beside the cache: the compiler loads what it
# wrote there, so it may be executed.
TMPFS = ("/tmp:exec",)  # noqa: S108 - a folder of the container's own
LIMITS: Mapping[str, int] = {"memlock": -1, "stack": 67_108_864}
# Docker gives 64 MiB of /dev/shm, and vLLM 0.32 wants 160 as soon as it has a worker process.
IPC = "host"


@dataclass(frozen=True, slots=True)
class ContainerRequest:
    """All that a start of vLLM in a container depends on.

    ``endpoint`` is a loopback port of the host, ``checkpoint`` the folder with the weights there;
    None names the repository instead, for a spec to look at. ``device`` is what the image's build
    computes on ("cuda", "cpu"). ``mounts`` are the host's own. ``name`` is the container's; None:
    the model's with "sparkwell-" before it. ``cores`` are the physical ones of the host that the
    container may use, where it computes on them.
    """

    recipe: Recipe
    instance: str
    endpoint: Endpoint
    image: str
    version: str
    device: str
    checkpoint: str | None
    flags: Mapping[str, FlagValue] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    name: str | None = None
    cores: int | None = None


@dataclass(frozen=True, slots=True)
class Weights:
    """Where weights lie in a container: vLLM's model argument, and the mount that it needs.

    ``cache`` is the folder there that is to be taken for the Hub's cache.
    """

    model: str
    mount: Mount
    cache: str


def container_spec(request: ContainerRequest) -> LaunchSpec:
    """The container for a request. Raises UsageError for a flag that vLLM does not take."""
    recipe = request.recipe
    where = f"recipe {recipe.name}"
    flags = check_flags(request.flags, where=where, version=request.version)
    weights = weights_in(request.checkpoint, recipe.name) if request.checkpoint else None
    return LaunchSpec(
        instance=request.instance,
        model=recipe.name,
        engine="vllm",
        engine_version=request.version,
        argv=(*PROGRAM, *_own_arguments(request, weights), *written(flags)),
        endpoint=request.endpoint,
        env=container_environment(recipe, request.device, request.cores),
        labels={**labels(request.device, flags), "image": request.image},
        stop_grace_s=STOP_GRACE_S,
        container=_container(request, weights),
    )


def weights_in(checkpoint: str, name: str) -> Weights:
    """How a checkpoint's folder is reached in a container.

    Of a Hugging Face cache the repository's ``models--*`` is mounted, in either layout, because
    the files of a snapshot are links within it; not the cache, where a saved token may lie. Any
    other folder is mounted as ``/models/NAME``.
    """
    path = PurePosixPath(checkpoint)
    found = next((part for part in path.parents if part.name.startswith("models--")), None)
    if found is None:
        inside = f"{MODELS}/{name}"
        return Weights(inside, Mount(str(path), inside, read_only=True), cache=inside)
    cache = f"{HUB}/hub" if found.parent.name == "hub" else HUB
    mount = Mount(str(found), f"{cache}/{found.name}", read_only=True)
    return Weights(f"{cache}/{path.relative_to(found.parent)}", mount, cache)


def container_environment(recipe: Recipe, device: str, cores: int | None) -> dict[str, str]:
    """The engine's variables in a container, where nothing is fetched and caches are kept."""
    kept = {"CUDA_CACHE_PATH": f"{CACHE}/cuda"} if device == "cuda" else {}
    return {**kept, **environment(recipe, device, CACHE, offline=True, cores=cores)}


def takes_read_only(image: str, device: str) -> bool:
    """Whether a closed root file system was tried: with the CPU build, and what the table says."""
    maker = facts_of(image).maker
    return maker.read_only if maker else device == "cpu"


def _own_arguments(request: ContainerRequest, weights: Weights | None) -> tuple[str, ...]:
    return (
        weights.model if weights else request.recipe.repo or request.recipe.name,
        "--served-model-name",
        *request.recipe.aliases,
        "--host",
        "0.0.0.0",  # noqa: S104 - in the container; the host publishes it on 127.0.0.1
        "--port",
        str(PORT),
        "--disable-uvicorn-access-log",
    )


def _container(request: ContainerRequest, weights: Weights | None) -> Container:
    closed = takes_read_only(request.image, request.device)
    own = (weights.mount,) if weights else ()
    return Container(
        image=request.image,
        name=request.name or f"sparkwell-{request.recipe.name}",
        port=PORT,
        entrypoint=facts_of(request.image).entrypoint,
        mounts=(*own, Mount(CACHE_VOLUME, CACHE), *request.mounts),
        gpus=request.device == "cuda",
        ipc=IPC,
        ulimits=LIMITS if request.device == "cuda" else {},
        read_only=closed,
        tmpfs=TMPFS if closed else (),
    )
