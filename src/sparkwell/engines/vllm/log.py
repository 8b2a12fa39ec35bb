"""vLLM's log, read: which phase of a start a line tells of, and the figures that it carries.

The wordings are those of vLLM 0.10 to 0.33. A line that is not understood says nothing, and
never something wrong. Lines come one at a time; nothing is remembered between them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from sparkwell.core.phases import Phase, PhaseMark

Facts = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A wording: ``needle`` must stand in the line, then ``read`` makes the mark from it."""

    needle: str
    read: Callable[[str], PhaseMark | None]


def read_line(line: str) -> PhaseMark | None:
    """What ``line`` says about the way of a start, or None."""
    for anchor in _ANCHORS:
        if anchor.needle in line:
            return anchor.read(line)
    return None


def read_error(line: str) -> str | None:
    """The error that ``line`` ends a traceback with ("ValueError: …"), or None.

    vLLM's processes hand an error on to each other and each prints its own; those that only
    say that somebody else failed are None, so that the first one read is the cause.
    """
    if "rror: " not in line and "xception: " not in line:
        return None
    found = _ERROR.match(line)
    if found is None or any(words in found[2] for words in _HANDED_ON):
        return None
    return f"{found[1]}: {found[2]}"


_ERROR = re.compile(
    r"(?:\(\w+ pid=\d+\) )?(?:ERROR [\d-]+ [\d:]+ \[[^\]]+\] )?"
    r"(?:[\w.]+\.)?(\w*(?:Error|Exception)): (\S.*)$"
)
_HANDED_ON = (
    "Engine core initialization failed",
    "WorkerProc initialization failed",
    "See root cause above",
    "EngineCore encountered an issue",
)


def _says(phase: Phase, fraction: float | None = None) -> Callable[[str], PhaseMark]:
    """A wording that marks a phase by being there."""
    mark = PhaseMark(phase, fraction)
    return lambda _line: mark


def _figures(
    phase: Phase, fraction: float | None, pattern: str, *names: str
) -> Callable[[str], PhaseMark]:
    """A wording with figures: group ``n`` of ``pattern`` becomes the fact ``names[n]``."""
    regex = re.compile(pattern)

    def read(line: str) -> PhaseMark:
        found = regex.search(line)
        return PhaseMark(phase, fraction, _facts(found, names) if found else ())

    return read


def _facts(found: re.Match[str], names: tuple[str, ...]) -> Facts:
    pairs = zip(names, found.groups(), strict=True)
    return tuple((name, float(text.replace(",", ""))) for name, text in pairs if text)


def _percent(phase: Phase) -> Callable[[str], PhaseMark | None]:
    """A progress bar: the fraction of the phase is its percentage."""
    regex = re.compile(r"(\d{1,3})%")

    def read(line: str) -> PhaseMark | None:
        found = regex.search(line)
        return PhaseMark(phase, min(int(found[1]), 100) / 100) if found else None

    return read


_KV_SIZE = (
    r"KV cache size: (\d[\d,]*) tokens"
    r"(?:, Maximum concurrency for (\d[\d,]*) tokens per request: (\d+\.?\d*)x)?"
)
_ANCHORS = (
    Anchor("Loading safetensors checkpoint shards", _percent(Phase.WEIGHTS)),
    Anchor("Capturing CUDA graph", _percent(Phase.GRAPHS)),
    Anchor("Initializing a V1 LLM engine", _says(Phase.INIT)),
    Anchor("Starting to load model", _says(Phase.WEIGHTS, 0.0)),
    Anchor("Loading model from scratch", _says(Phase.WEIGHTS, 0.0)),  # the V2 model runner
    Anchor(
        "Time spent downloading weights",
        _figures(Phase.DOWNLOAD, 1.0, r"weights for \S+: (\d+\.?\d*) seconds", "download_s"),
    ),
    Anchor(
        "Loading weights took",
        _figures(Phase.WEIGHTS, 1.0, r"took (\d+\.?\d*) seconds", "weights_s"),
    ),
    Anchor(
        "Model loading took",
        _figures(
            Phase.WEIGHTS,
            1.0,
            r"took (\d+\.?\d*) GiB(?: memory)? and (\d+\.?\d*) seconds",
            "weights_gib",
            "load_s",
        ),
    ),
    Anchor("for vLLM's torch.compile", _says(Phase.COMPILE)),
    Anchor("Dynamo bytecode transform time", _says(Phase.COMPILE)),
    Anchor("Starting torch.compile", _says(Phase.COMPILE)),
    Anchor("Warming up model for the compilation", _says(Phase.COMPILE)),  # the CPU build
    Anchor("Compiling a graph for", _says(Phase.COMPILE)),
    Anchor(
        "Directly load the compiled graph",  # only where an earlier start compiled the same
        _figures(Phase.COMPILE, None, r"cache, took (\d+\.?\d*) s", "compile_cache_s"),
    ),
    Anchor(
        "torch.compile t",
        _figures(Phase.COMPILE, 1.0, r"torch\.compile (?:takes|took) (\d+\.?\d*) s", "compile_s"),
    ),
    Anchor("Initial profiling/warmup run took", _says(Phase.PROFILE)),
    Anchor(
        "Estimated CUDA graph memory",
        _figures(Phase.PROFILE, None, r"memory: (\d+\.?\d*) GiB total", "graphs_estimated_gib"),
    ),
    Anchor(
        "memory for KV Cache as specified by",  # --kv-cache-memory-bytes
        _figures(Phase.PROFILE, None, r"reserved (\d+\.?\d*) ?GiB memory for", "kv_cache_gib"),
    ),
    Anchor(
        "Available KV cache memory",
        _figures(Phase.PROFILE, None, r"memory: (\d+\.?\d*) GiB", "kv_cache_gib"),
    ),
    Anchor(
        "KV cache size:",
        _figures(
            Phase.PROFILE,
            1.0,
            _KV_SIZE,
            "kv_cache_tokens",
            "max_model_len",
            "max_concurrency",
        ),
    ),
    Anchor(
        "Maximum concurrency for",
        _figures(
            Phase.PROFILE,
            1.0,
            r"for (\d[\d,]*) tokens per request: (\d+\.?\d*)x",
            "max_model_len",
            "max_concurrency",
        ),
    ),
    Anchor(
        "Graph capturing finished",
        _figures(
            Phase.GRAPHS,
            1.0,
            r"finished in (\d+\.?\d*) secs, took (\d+\.?\d*) GiB",
            "graphs_s",
            "graphs_gib",
        ),
    ),
    Anchor(
        "init engine (profile, create kv cache, warmup model) took",
        _figures(Phase.WARMUP, None, r"took (\d+\.?\d*) s", "init_engine_s"),
    ),
    Anchor("Starting vLLM API server", _says(Phase.WARMUP)),
    Anchor("Starting vLLM server on", _says(Phase.WARMUP)),
    Anchor("Application startup complete", _says(Phase.WARMUP, 1.0)),
)
