"""Up to how many tokens a step runs as one CUDA graph."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sparkwell.catalog.recipe import FlagValue
from sparkwell.planner.settings import Settings

MOST = 512
"""vLLM's own largest size, where nothing else is said and sequences are many."""
_SIZES = ("cudagraph_capture_sizes", "cuda_graph_sizes")
_LARGEST = "max_cudagraph_capture_size"
# config/compilation.py: CUDAGraphMode and CompilationMode, by name or number.
_MODES_WITHOUT = ("NONE", "0", "FULL_DECODE_ONLY")
_OFF = (0, "0", "NONE")


def graph_tokens(flags: Mapping[str, FlagValue], settings: Settings) -> int:
    """Tokens of the largest step that runs as a graph; 0 where none does.

    A larger one starts its kernels one by one. vLLM captures sizes up to twice the sequences.
    """
    config = _config(flags.get("compilation_config"))
    if settings.eager or flags.get("optimization_level") in _OFF or _is_off(config):
        return 0
    for said in (flags, config):
        found = _said(said)
        if found is not None:
            return found
    return min(MOST, 2 * settings.max_num_seqs, settings.max_num_batched_tokens)


def _is_off(config: Mapping[str, Any]) -> bool:
    """Whether no prompt runs as a graph: none at all, those of decoding alone, or uncompiled."""
    mode = config.get("cudagraph_mode", "")
    levels = (config.get("level"), config.get("mode"))
    return str(mode).upper() in _MODES_WITHOUT or any(level in _OFF for level in levels)


def _said(flags: Mapping[str, Any]) -> int | None:
    """The largest of the sizes that are given, if any are; 0 for a list of none."""
    texts = [flags[name] for name in (_LARGEST, *_SIZES) if flags.get(name) is not None]
    sizes = [int(each) for text in texts for each in _numbers(text)]
    return max(sizes, default=0) if texts else None


def _numbers(value: Any) -> list[str]:
    return re.findall(r"\d+", str(value))


def _config(value: Any) -> Mapping[str, Any]:
    """The JSON of compilation_config; a number alone is the level of compilation."""
    with suppress(ValueError, TypeError):
        value = json.loads(value)
    if isinstance(value, int):
        return {"level": value}
    return value if isinstance(value, dict) else {}
