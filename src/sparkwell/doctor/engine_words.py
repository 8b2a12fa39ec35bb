"""Which engine a command line starts, and with which model. Pure."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import PurePath

from sparkwell.checks.host_parts import EngineKind

_MODEL_FLAGS = ("--model", "--model-path", "-m")
# What engines call their worker processes instead of a command line.
_TITLES: Mapping[str, EngineKind] = {"VLLM::": "vllm", "sglang::": "sglang"}
_PROGRAMS: Mapping[str, EngineKind] = {
    "llama-server": "llama.cpp",
    "trtllm-serve": "tensorrt-llm",
    "tritonserver": "tensorrt-llm",
}
_VERBS: Mapping[tuple[str, str], EngineKind] = {
    ("vllm", "serve"): "vllm",
    ("ollama", "serve"): "ollama",
    ("ollama", "runner"): "ollama",
}
_MODULES: Mapping[str, EngineKind] = {
    "vllm.entrypoints": "vllm",
    "sglang.launch_server": "sglang",
}


def kind_of(words: Sequence[str]) -> EngineKind | None:
    """Which engine a command line starts; None for every other program."""
    if not words:
        return None
    program = PurePath(words[0]).name
    if program.startswith("python"):
        return _of_python(words[1:])
    verb = _VERBS.get((program, words[1])) if len(words) > 1 else None
    titles = (kind for prefix, kind in _TITLES.items() if words[0].startswith(prefix))
    return verb or _PROGRAMS.get(program) or next(titles, None)


def is_worker(words: Sequence[str]) -> bool:
    """Whether it is a process that an engine's server has made, by the title that it wears."""
    return bool(words) and words[0].startswith(tuple(_TITLES))


def model_of(words: Sequence[str]) -> str | None:
    """The model of an engine's command line; of a path its last step."""
    named = [value for flag, value in _pairs(words) if flag in _MODEL_FLAGS and "/" in value]
    served = [value for flag, value in _pairs(words) if flag == "serve"]
    found = next((each for each in [*named, *served] if not each.startswith("-")), None)
    return PurePath(found).name if found and found.startswith("/") else found


def _of_python(words: Sequence[str]) -> EngineKind | None:
    """``python .../vllm serve``, ``python -m vllm.entrypoints.…``, with options of Python's."""
    rest = [word for word in words if not re.fullmatch(r"-[A-Za-z]", word)]
    if not rest:
        return None
    modules = (kind for module, kind in _MODULES.items() if rest[0].startswith(module))
    is_python = PurePath(rest[0]).name.startswith("python")
    return next(modules, None) or (None if is_python else kind_of(rest))


def _pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    """Each word with the next one; ``--flag=value`` as one of them."""
    joined = [(flag, value) for flag, is_, value in (word.partition("=") for word in words) if is_]
    return [*joined, *pairwise(words)]
