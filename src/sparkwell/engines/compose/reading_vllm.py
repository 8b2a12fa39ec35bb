"""What a Compose service serves with vLLM: the model, its flags, and what else it says. Pure."""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import UsageError
from sparkwell.engines.compose.reading import ComposeService
from sparkwell.engines.compose.reading_arguments import Argument, read_arguments
from sparkwell.engines.compose.reading_fields import Left, Volume, Word
from sparkwell.engines.compose.reading_program import vllm_arguments
from sparkwell.engines.compose.reading_variables import is_secret
from sparkwell.engines.compose.reading_yaml import SECRET
from sparkwell.engines.vllm.flag_table import OWNED
from sparkwell.engines.vllm.flags import check_flag
from sparkwell.engines.vllm.images import version_of

PORT = 8000
_HOME = "/root/.cache/huggingface"
_CACHES = ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE")
# What vLLM compiles is kept by Sparkwell itself, in a folder of its own.
_COMPILED = (
    "/root/.cache/vllm",
    "/root/.triton",
    "/root/.cache/flashinfer",
    "/root/.nv",
    "/root/.tensorrt_llm",
)
_CACHE_VARIABLES = (
    "VLLM_CACHE_ROOT",
    "TRITON_CACHE_DIR",
    "FLASHINFER_WORKSPACE_BASE",
    "TRTLLM_DG_CACHE_DIR",
    "TORCHINDUCTOR_CACHE_DIR",
    "CUDA_CACHE_PATH",
)
OWN_VARIABLES = frozenset({
    *_CACHES, *_CACHE_VARIABLES, "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE",
    "VLLM_NO_USAGE_STATS", "DO_NOT_TRACK", "PYTHONUNBUFFERED", "VLLM_HOST_IP", "NO_COLOR",
    "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES",
})  # fmt: skip
_HELD = {"NVIDIA_VISIBLE_DEVICES": "all"}
_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


@dataclass(frozen=True, slots=True)
class VllmService:
    """A service that runs vLLM. ``model`` is a repository id or a folder in the container.

    ``flags`` are checked for ``version`` (None: the image's is not known) and have neither the
    model nor what is Sparkwell's own. ``weights`` are the mounts that hold Hugging Face caches,
    ``folders`` all others of the host. ``host`` is the port of this machine, and ``address``
    None where that is open to everybody.
    """

    model: str | None
    version: str | None
    flags: Mapping[str, FlagValue] = field(default_factory=dict)
    host: int | None = None
    address: str | None = None
    weights: tuple[str, ...] = ()
    folders: tuple[Volume, ...] = ()
    own: tuple[str, ...] = ()
    left: tuple[Left, ...] = ()


def read_vllm(service: ComposeService) -> VllmService | None:
    """What the service serves with vLLM; None for one that runs something else."""
    arguments = vllm_arguments(service.argv, service.image)
    if arguments is None:
        return None
    version = version_of(service.image or "")
    given = read_arguments(arguments.words, version)
    flags, own, left = _flags(given.flags, version)
    caches = _caches(service.environment, given.flags)
    compiled = [service.environment.get(name) for name in _CACHE_VARIABLES]
    kept_there = (*_COMPILED, *(each for each in compiled if each))
    weights, folders, left_volumes, kept = _volumes(service.volumes, caches, kept_there)
    inner = _port(given.flags)
    port = next((each for each in service.ports if each.inner == inner), None)
    other_ports = [
        Left(each.line, ("ports",), _why_left(each.inner, inner))
        for each in service.ports
        if each is not port
    ]
    variables, left_variables = _variables(service)
    within = (
        *_named(given.left, "command"),
        *_named(arguments.left, "command"),
        *left,
        *other_ports,
        *left_volumes,
        *left_variables,
    )
    return VllmService(
        model=given.model,
        version=version,
        flags=flags,
        host=port.host if port else None,
        address=port.address if port else None,
        weights=weights,
        folders=folders,
        own=(*own, *variables, *kept),
        left=tuple(each.within("services", service.name) for each in within),
    )


def _named(left: Sequence[tuple[Word, str]], field: str) -> list[Left]:
    return [Left(word.line, (field, word.text), why) for word, why in left]


def _flags(
    given: Sequence[Argument], version: str | None
) -> tuple[dict[str, FlagValue], list[str], list[Left]]:
    """The flags that can be set; those that are Sparkwell's own; those that are not taken."""
    flags: dict[str, FlagValue] = {}
    own: list[str] = []
    left: list[Left] = []
    for each in given:
        if each.name == "download_dir":
            own.append("--download-dir")
        elif each.name in OWNED or is_secret(each.name):
            why = OWNED.get(each.name, "holds a secret, which is not taken over")
            left += [] if each.name in ("host", "port", "uds") else [_flag_left(each, why)]
            own += ["--" + each.name] if each.name in ("host", "port", "uds") else []
        elif isinstance(each.value, str) and SECRET in each.value:
            left.append(_flag_left(each, "holds a secret, which is not taken over"))
        else:
            try:
                flags[each.name] = check_flag(each.name, each.value, version)
            except UsageError as error:
                left.append(_flag_left(each, error.message, error.hint))
    return flags, own, left


def _flag_left(given: Argument, why: str, remedy: str | None = None) -> Left:
    return Left(given.line, ("command", f"--{given.name.replace('_', '-')}"), why, remedy)


def _port(given: Sequence[Argument]) -> int:
    found = next((each.value for each in given if each.name == "port"), PORT)
    return found if isinstance(found, int) else PORT


def _caches(environment: Mapping[str, str | None], given: Sequence[Argument]) -> list[str]:
    """Folders in the container that weights lie in."""
    named = [environment.get(name) for name in _CACHES]
    flag = [str(each.value) for each in given if each.name == "download_dir"]
    return [posixpath.normpath(each) for each in (*flag, *named, _HOME) if each]


def _volumes(
    volumes: Sequence[Volume], caches: Sequence[str], compiled: Sequence[str]
) -> tuple[tuple[str, ...], tuple[Volume, ...], list[Left], list[str]]:
    weights: list[str] = []
    folders: list[Volume] = []
    left: list[Left] = []
    own: list[str] = []
    for volume in volumes:
        below = _below(posixpath.normpath(volume.target or "/"), caches)
        if volume.has_secret:
            left.append(Left(volume.line, ("volumes",), "holds a secret, which is not taken over"))
        elif below is None and _holds(volume.target, compiled):
            own.append(volume.target)
        elif volume.is_named:
            left.append(_named_volume(volume, below is not None))
        elif below is not None:
            weights.append(posixpath.join(volume.source or "", below).rstrip("/"))
        else:
            folders.append(volume)
    return tuple(dict.fromkeys(weights)), tuple(folders), left, own


def _holds(target: str, compiled: Sequence[str]) -> bool:
    """Whether a mount is for what vLLM compiles: one of its folders, or the one around it."""
    return any(f"{each}/".startswith(f"{target.rstrip('/')}/") for each in compiled)


def _below(target: str, caches: Sequence[str]) -> str | None:
    """Where below a mount the cache lies; None for a mount that holds none."""
    for cache in caches:
        if cache == target or cache.startswith(f"{target}/"):
            return posixpath.relpath(cache, target) if cache != target else ""
        if target == f"{cache}/hub":
            return ""
    return None


def _named_volume(volume: Volume, weights: bool) -> Left:
    name = volume.source or "(without a name)"
    why = f"{name} is a volume of Docker's own, which is no folder of this machine"
    remedy = f"`docker volume inspect {volume.source}` says where it lies." if weights else None
    return Left(volume.line, ("volumes", volume.target), why, remedy)


def _variables(service: ComposeService) -> tuple[list[str], list[Left]]:
    """The variables that Sparkwell sets itself, and the others, by name: values may be secret."""
    own: list[str] = []
    left: list[Left] = []
    for name, value in service.environment.items():
        if name in _TOKENS or (name in OWN_VARIABLES and _HELD.get(name, value) == value):
            own.append(name)
            continue
        why = "variables of an engine are a recipe's (serve.env), not the settings'"
        remedy = "A recipe of your own can set it: docs/recipes.md."
        left.append(Left(service.lines[name], ("environment", name), why, remedy))
    return own, left


def _why_left(published: int, own: int) -> str:
    if published == own:
        return "another port of the same server: the settings have one, gateway.port"
    return f"port {published} is not the one that vLLM listens on"
