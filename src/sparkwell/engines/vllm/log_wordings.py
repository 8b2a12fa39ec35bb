"""The wordings of vLLM's log, 0.10 to 0.33, and what each says about the way of a start.

As published in its sources: vllm/v1/engine/core.py, v1/worker, v1/core/kv_cache_utils.py,
compilation, model_executor/model_loader and entrypoints. docs/load-phases.md has them by version.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sparkwell.core.phases import Phase, PhaseMark

Facts = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A wording: ``needle`` must stand in the line, then ``read`` makes the mark from it."""

    needle: str
    read: Callable[[str], PhaseMark | None]


def _says(needle: str, phase: Phase, fraction: float | None = None) -> Anchor:
    """A wording that marks a phase by being there."""
    mark = PhaseMark(phase, fraction)
    return Anchor(needle, lambda _line: mark)


def _figures(
    needle: str, phase: Phase, fraction: float | None, pattern: str, *names: str
) -> Anchor:
    """A wording with figures: group ``n`` of ``pattern`` becomes the fact ``names[n]``.

    Patterns end with the unit, so that a line that breaks off in a number gives no figure.
    """
    regex = re.compile(pattern)

    def read(line: str) -> PhaseMark:
        found = regex.search(line)
        return PhaseMark(phase, fraction, _facts(found, names) if found else ())

    return Anchor(needle, read)


def _facts(found: re.Match[str], names: tuple[str, ...]) -> Facts:
    pairs = zip(names, found.groups(), strict=True)
    return tuple((name, float(text.replace(",", ""))) for name, text in pairs if text)


def _bar(needle: str, phase: Phase, title: str) -> Anchor:
    """A progress bar: the fraction of the phase is its percentage.

    Where carriage returns did not end lines, several stand in one: the last is the newest.
    """
    regex = re.compile(title + r": *(\d{1,3})%", re.ASCII)

    def read(line: str) -> PhaseMark | None:
        found = regex.findall(line)
        return PhaseMark(phase, min(int(found[-1]), 100) / 100) if found else None

    return Anchor(needle, read)


def _kernel(line: str) -> PhaseMark | None:
    """Which kernel a layer was given, said while the model is set up."""
    return _SETTING_UP if _KERNEL.search(line) else None


_KERNEL = re.compile(r"Selected \w+Kernel for \w")
_SETTING_UP = PhaseMark(Phase.WEIGHTS)
_S = r"(\d+\.?\d*) s"
_GIB = r"(\d+\.?\d*) ?GiB"
_CONCURRENCY = r"Maximum concurrency for (\d[\d,]*) tokens per request: (\d+\.?\d*)x"
_LENGTH = ("max_model_len", "max_concurrency")

# By a word that every wording of the group has: most lines of a log have none of these words.
ANCHORS: Mapping[str, tuple[Anchor, ...]] = {
    "%": (
        _bar(  # safetensors, pt, np_cache
            "checkpoint shards", Phase.WEIGHTS, r"checkpoint shards(?: \(eager\))?"
        ),
        _bar("Capturing ", Phase.GRAPHS, r"Capturing [\w -]*CUDA graph[^:]*"),
        _bar("Loading safetensors using", Phase.WEIGHTS, r"Loading safetensors using [\w ]+"),
        _bar("Multi-thread loading", Phase.WEIGHTS, r"Multi-thread loading[\w ]*"),
        _bar("Prefetching checkpoint files", Phase.WEIGHTS, "Prefetching checkpoint files"),
        _bar("Fetching ", Phase.DOWNLOAD, r"Fetching \d+ files"),  # huggingface_hub: by file
    ),
    "took ": (
        _figures(
            "Loading weights took", Phase.WEIGHTS, 1.0, r"took (\d+\.?\d*) seconds", "weights_s"
        ),
        _figures(
            "Model loading took",
            Phase.WEIGHTS,
            1.0,
            r"took (\d+\.?\d*) GiB(?: memory)? and (\d+\.?\d*) seconds",
            "weights_gib",
            "load_s",
        ),
        _figures(  # only where an earlier start compiled the same
            "Directly load the compiled graph",
            Phase.COMPILE,
            None,
            r"cache, took " + _S,
            "compile_cache_s",
        ),
        _figures("torch.compile took", Phase.COMPILE, 1.0, r"compile took " + _S, "compile_s"),
        _says("Initial profiling/warmup run took", Phase.PROFILE),
        _figures(
            "Graph capturing finished",
            Phase.GRAPHS,
            1.0,
            r"finished in (\d+\.?\d*) secs, took " + _GIB,
            "graphs_s",
            "graphs_gib",
        ),
        _figures(
            "init engine (profile, create kv cache, warmup model) took",
            Phase.WARMUP,
            None,
            r"took " + _S,
            "init_engine_s",
        ),
    ),
    "takes ": (
        _figures("torch.compile takes", Phase.COMPILE, 1.0, r"compile takes " + _S, "compile_s"),
        _says("Compiling a graph for", Phase.COMPILE),  # a shape, later a range of them
    ),
    "KV ": (
        _figures("Available KV cache memory", Phase.PROFILE, None, _GIB, "kv_cache_gib"),
        _figures(  # of a GPU, "CPU", "GPU + host"; one line with the next since 0.28
            "KV cache size:",
            Phase.PROFILE,
            1.0,
            r"KV cache size: (\d[\d,]*) tokens(?:,\s*" + _CONCURRENCY + ")?",
            "kv_cache_tokens",
            *_LENGTH,
        ),
        _figures(  # --kv-cache-memory-bytes
            "memory for KV Cache as specified by",
            Phase.PROFILE,
            None,
            "reserved " + _GIB + " memory for",
            "kv_cache_gib",
        ),
    ),
    "Maximum concurrency": (
        _figures("Maximum concurrency for", Phase.PROFILE, 1.0, _CONCURRENCY, *_LENGTH),
    ),
    "Starting ": (
        _says("Starting to load model", Phase.WEIGHTS, 0.0),
        _says("Starting torch.compile", Phase.COMPILE),
        _says("Starting vLLM API server", Phase.WARMUP),
        _says("Starting vLLM server on", Phase.WARMUP),
    ),
    "ing ": (
        _says("Initializing a V1 LLM engine", Phase.INIT),
        _says("Loading model from scratch", Phase.WEIGHTS, 0.0),  # the V2 model runner
        _figures(
            "Time spent downloading weights",
            Phase.DOWNLOAD,
            1.0,
            r"weights for \S+: (\d+\.?\d*) seconds",
            "download_s",
        ),
        _says("Warming up model for the compilation", Phase.COMPILE),  # the CPU build
    ),
    "for vLLM's torch.compile": (_says("for vLLM's torch.compile", Phase.COMPILE),),
    "Dynamo bytecode": (_says("Dynamo bytecode transform time", Phase.COMPILE),),
    "Estimated CUDA graph memory": (
        _figures(
            "Estimated CUDA graph memory",
            Phase.PROFILE,
            None,
            "memory: " + _GIB + " total",
            "graphs_estimated_gib",
        ),
    ),
    "Selected ": (Anchor("Kernel for ", _kernel),),
    "Application startup complete": (_says("Application startup complete", Phase.WARMUP, 1.0),),
    "Available routes are": (_says("Available routes are:", Phase.WARMUP),),
}
