"""vLLM's command line and environment: recipe, flags and a place to answer, as a LaunchSpec."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkwell.catalog.recipe import FlagValue, Recipe
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.engines.vllm.cpu import on_cpu
from sparkwell.engines.vllm.flags import check_flags


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """All that a vLLM start depends on.

    ``model`` is a folder with a checkpoint, or a repository id when ``offline`` is False.
    ``python`` is the interpreter of an engine environment; ``device`` is what its build of vLLM
    runs on. ``flags`` are all that the engine is given. ``cache`` is the folder for what vLLM
    compiles, kept between starts: a second start is then several times faster. ``libraries`` is
    the search path for shared libraries that the system lacks, or empty. ``cores`` are the
    physical ones that the engine may use, where it computes on them.
    """

    recipe: Recipe
    instance: str
    endpoint: Endpoint
    model: str
    python: str
    version: str
    device: str
    cache: str
    libraries: str = ""
    flags: Mapping[str, FlagValue] = field(default_factory=dict)
    offline: bool = True
    cores: int | None = None


def render(request: LaunchRequest) -> LaunchSpec:
    """The engine process for a request. Raises UsageError for a flag that vLLM does not take."""
    flags = _flags(request)
    return LaunchSpec(
        instance=request.instance,
        model=request.recipe.name,
        engine="vllm",
        engine_version=request.version,
        argv=(*_program(request), *_own_arguments(request), *written(flags)),
        endpoint=request.endpoint,
        env={
            **({"LD_LIBRARY_PATH": request.libraries} if request.libraries else {}),
            **environment(
                request.recipe,
                request.device,
                request.cache,
                offline=request.offline,
                cores=request.cores,
            ),
        },
        labels=labels(request.device, flags),
    )


def _program(request: LaunchRequest) -> tuple[str, ...]:
    """The CPU build's `vllm` command looks up a distribution named vllm, and fails."""
    if request.device == "cpu":
        return (request.python, "-m", "vllm.entrypoints.openai.api_server", "--model")
    return (request.python, "-m", "vllm.entrypoints.cli.main", "serve")


def _own_arguments(request: LaunchRequest) -> tuple[str, ...]:
    return (
        request.model,
        "--served-model-name",
        *request.recipe.aliases,
        *_listen(request.endpoint),
        "--disable-uvicorn-access-log",
    )


def _listen(endpoint: Endpoint) -> tuple[str, ...]:
    if endpoint.uds:
        return ("--uds", endpoint.uds)
    return ("--host", "127.0.0.1", "--port", str(endpoint.port))


def _flags(request: LaunchRequest) -> dict[str, FlagValue]:
    where = f"recipe {request.recipe.name}"
    return check_flags(request.flags, where=where, version=request.version)


def written(flags: Mapping[str, FlagValue]) -> tuple[str, ...]:
    """The flags as words of a command line, in their order."""
    return tuple(word for name, value in flags.items() for word in _words(name, value))


def labels(device: str, flags: Mapping[str, FlagValue]) -> dict[str, str]:
    """What an adopted instance tells of itself."""
    return {"device": device, "flags": json.dumps(dict(flags))}


def environment(
    recipe: Recipe, device: str, cache: str, *, offline: bool, cores: int | None
) -> dict[str, str]:
    """The engine's variables; ``cache`` is the folder for what it compiles, as it sees it."""
    return {
        **_QUIET,
        **compile_caches(cache),
        **needed(recipe, device, offline=offline, cores=cores),
    }


def needed(recipe: Recipe, device: str, *, offline: bool, cores: int | None) -> dict[str, str]:
    """The variables without which the model is not served, or not so."""
    return {
        **(_OFFLINE if offline else {}),
        **(on_cpu(cores) if device == "cpu" else {}),
        **recipe.serve.env,
    }


def compile_caches(folder: str) -> dict[str, str]:
    """The variables that put what is compiled into a folder that stays."""
    return {
        "VLLM_CACHE_ROOT": f"{folder}/vllm",
        "TRITON_CACHE_DIR": f"{folder}/triton",
        "FLASHINFER_WORKSPACE_BASE": folder,
        # FlashInfer's GEMMs for FP8 weights; else in the home folder, which a container forgets.
        "TRTLLM_DG_CACHE_DIR": f"{folder}/tensorrt_llm",
    }


def _words(name: str, value: FlagValue) -> tuple[str, ...]:
    option = name.replace("_", "-")
    if value is True:
        return (f"--{option}",)
    if value is False:
        return (f"--no-{option}",)
    return (f"--{option}", str(value))


_QUIET = {
    "PYTHONUNBUFFERED": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    # The engine's processes talk to each other over TCP: keep that off the network.
    "VLLM_HOST_IP": "127.0.0.1",
    # Progress bars are read line by line; colours would only be in the way.
    "NO_COLOR": "1",
}
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
