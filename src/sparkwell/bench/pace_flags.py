"""Which flags an engine's speed on a machine goes with, so that only like runs are taken. Pure."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

Flags = Mapping[str, Any]
DEFAULTS: Flags = {
    "enforce_eager": False, "optimization_level": None, "compilation_config": None,
    "cudagraph_capture_sizes": None, "cuda_graph_sizes": None, "max_cudagraph_capture_size": None,
    "performance_mode": None, "async_scheduling": None,
    "attention_backend": None, "attention_config": None, "moe_backend": None,
    "dtype": "auto", "quantization": None, "quantization_config": None, "hf_overrides": None,
    "kv_cache_dtype": "auto", "speculative_config": None, "cpu_offload_gb": 0,
    "kv_offloading_size": None, "offload_group_size": 0,
    "tensor_parallel_size": 1, "pipeline_parallel_size": 1, "data_parallel_size": 1,
    "decode_context_parallel_size": 1, "prefill_context_parallel_size": 1,
    "enable_expert_parallel": False, "disable_custom_all_reduce": False,
}  # fmt: skip
"""By what the model of speed misses is not the same, and what each is where it is not set.

How many sequences and tokens a step has is in the model, and left out: what it misses carries over.
"""


def pace_flags(flags: Flags) -> dict[str, str]:
    """Those of ``flags`` that bear on the pace and are not as they would be anyhow; comparable."""
    return {
        name: _comparable(flags[name])
        for name, default in DEFAULTS.items()
        if flags.get(name) is not None and flags[name] != default
    }


def _comparable(value: Any) -> str:
    """A JSON text is the same whatever its spaces and the order of its keys."""
    with suppress(TypeError, ValueError):
        value = json.loads(value)
    return json.dumps(value, sort_keys=True)
