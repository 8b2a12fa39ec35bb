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


def graph_tokens(flags: Mapping[str, FlagValue], settings: Settings) -> int:
    """Tokens of the largest step that runs as a graph; 0 where none does.

    A larger one starts its kernels one by one. vLLM captures sizes up to twice the sequences.
    """
    config = _config(flags.get("compilation_config"))
    if settings.eager or str(config.get("cudagraph_mode", "")).upper() == "NONE":
        return 0
    for said in (flags, config):
        found = _said(said)
        if found is not None:
            return found
    return min(MOST, 2 * settings.max_num_seqs, settings.max_num_batched_tokens)


def _said(flags: Mapping[str, Any]) -> int | None:
    """The largest of the sizes that are given, if any are."""
    texts = (flags.get(name) for name in (_LARGEST, *_SIZES))
    sizes = [int(each) for text in texts if text is not None for each in _numbers(text)]
    return max(sizes, default=None)


def _numbers(value: Any) -> list[str]:
    return re.findall(r"\d+", str(value))


def _config(value: Any) -> Mapping[str, Any]:
    """The JSON of compilation_config; nothing where it is no object."""
    with suppress(ValueError, TypeError):
        value = json.loads(value)
    return value if isinstance(value, dict) else {}
