"""Which engine wrote a log, and its version, as the log says itself. Pure."""

import re
from collections.abc import Iterable

from sparkwell.checks.host_parts import EngineKind
from sparkwell.checks.logs.parts import LogLine

Identity = tuple[EngineKind | None, str | None]
_VERSION = r"v?(\d[\w.+!-]{0,60}\w|dev)\b"
_VLLM = re.compile(
    rf"vLLM API server version {_VERSION}|Initializing a V[01] LLM engine \({_VERSION}\)|"
    rf"LLM engine \({_VERSION}\) with config|█ .{{0,20}} version {_VERSION}"
)
_OLLAMA = re.compile(rf"Listening on \S{{1,100}} \(version {_VERSION}\)")
_LIKE_VLLM = re.compile(
    r"^\((?:APIServer|EngineCore|Worker)\w{0,20} pid=|[/ ]vllm/(?:v1|engine|entrypoints|worker)/"
)
_LIKE_OLLAMA = re.compile(r"\blevel=[A-Z]{4,5} source=\w{1,40}\.go:\d|^\[GIN\] ")


def identify(lines: Iterable[LogLine]) -> Identity:
    """Engine and version, None where it is not said; of several starts in one log the last's."""
    lines = tuple(lines)
    engine: EngineKind | None = None
    version: str | None = None
    for line in lines:
        for kind, pattern in _PATTERNS:
            if found := pattern.search(line.text):
                engine, version = kind, next(filter(None, found.groups()))
    return (engine, version) if engine else (_alike(lines), None)


_PATTERNS: tuple[tuple[EngineKind, re.Pattern[str]], ...] = (("vllm", _VLLM), ("ollama", _OLLAMA))


def _alike(lines: Iterable[LogLine]) -> EngineKind | None:
    """The engine whose way of writing is there."""
    for line in lines:
        if _LIKE_VLLM.search(line.text):
            return "vllm"
        if _LIKE_OLLAMA.search(line.text):
            return "ollama"
    return None
