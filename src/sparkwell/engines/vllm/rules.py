"""vLLM's memory rules by version, as read in the sources of the versions in flag_history.json.

A rule is held by every version from the one beside it on. Between two versions that were read the
older one's rule is taken; ``EngineRules.source`` says which sources stand behind the answer.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from packaging.version import Version

from sparkwell.core.errors import UsageError
from sparkwell.engines.vllm.history import default, exists, history, parse_version
from sparkwell.planner.engine_rules import EngineRules, V2Default

OLDEST = Version("0.10.1.1")
MEASURED = frozenset({"0.10.1.1", "0.25.0"})
FILES = (
    "v1/worker/gpu_worker.py, v1/worker/gpu_model_runner.py, v1/core/kv_cache_utils.py, "
    "engine/arg_utils.py, platforms/cuda.py, device_allocator/cumem.py"
)

Value = TypeVar("Value")
Since = Sequence[tuple[str, Value]]
"""(version, value) ascending: the value holds from that version on."""

# utils/mem_utils.py: an integrated GPU's free memory is psutil's "available".
_AVAILABLE: Since[bool] = (("0.10.1.1", False), ("0.11.1", True))
# envs.py: VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS; estimated but not subtracted in 0.18 and 0.19.
_COUNTS_GRAPHS: Since[bool] = (("0.10.1.1", False), ("0.20.0", True))
# utils/torch_utils.py: resolve_kv_cache_dtype_string.
_AUTO_KV: Since[bool] = (("0.10.1.1", False), ("0.14.1", True))
# platforms/cuda.py: 0.10 goes back to the V0 engine, 0.11.0 takes Triton, later FlashInfer.
_FP8_KV: Since[bool] = (("0.10.1.1", False), ("0.11.0", True))
# v1/core/kv_cache_utils.py.
_BY_CONCURRENCY: Since[bool] = (("0.10.1.1", False), ("0.20.1", True))
# utils/mem_utils.py: memory_profiling counts what is gone from the free memory.
_RESIDENT: Since[bool] = (("0.10.1.1", False), ("0.27.1", True))
# device_allocator/cumem.py: use_memory_pool gives back what PyTorch still counts as reserved; this
# ends where the resident memory is counted.
_SLEEP_GAINS: Since[bool] = (("0.10.1.1", False), ("0.11.0", True), ("0.27.1", False))
# engine/arg_utils.py: get_batch_defaults.
_VERY_LARGE: Since[int | None] = (("0.10.1.1", None), ("0.28.0", 16384))
# NVML does not tell the GB10's memory, so it counted as small long before 0.33 said so by name
# (vLLM PR 57378, seen on a GB10).
_GB10_SMALL: Since[bool] = (("0.10.1.1", True),)
# config/vllm.py: pass_config of the optimization levels.
_FUSES: Since[bool] = (("0.10.1.1", False), ("0.12.0", True))
# transformers_utils/config.py: patch_rope_parameters.
_ROPE_KEY: Since[str] = (("0.10.1.1", "rope_scaling"), ("0.12.0", "rope_parameters"))
# config/vllm.py: _set_cudagraph_sizes.
_STEP: Since[int] = (("0.10.1.1", 8), ("0.11.1", 16))
_EDGE: Since[bool] = (("0.10.1.1", False), ("0.20.1", True))
_SEQUENCES: Since[bool] = (("0.10.1.1", False), ("0.31.0", True))
# v1/worker/gpu/model_runner.py: profile_cudagraph_memory returned 0 before.
_V2_GRAPHS: Since[bool] = (("0.10.1.1", False), ("0.29.0", True))


class _V2(NamedTuple):
    default: V2Default
    architectures: tuple[str, ...] = ()


_TEXT = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen3ForCausalLM")
_MOE = ("DeepseekV2ForCausalLM", "GraniteMoeForCausalLM", "Qwen2MoeForCausalLM")
# config/vllm.py: use_v2_model_runner. Of the lists, what text models have.
_RUNNERS: Since[_V2] = (
    ("0.10.1.1", _V2("none")),
    ("0.22.0", _V2("listed-unquantized", ("Qwen3ForCausalLM",))),
    ("0.23.0", _V2("listed-unquantized", _TEXT)),
    ("0.24.0", _V2("listed", (*_TEXT, *_MOE))),
    ("0.25.0", _V2("dense", _MOE)),
    ("0.28.0", _V2("dense", (*_MOE, "DeepseekV4ForCausalLM"))),
    ("0.29.0", _V2("all")),
)


@cache
def rules_for(version: str) -> EngineRules:
    """The rules of a version of vLLM, "0.25.0" or "0.10.1.1+nv25.09"; raises UsageError.

    A version that was not read has the rules of the nearest older one that was; the ``source``
    says so, as it does for one that is newer than all. Older than 0.10.1.1 is refused.
    """
    asked = parse_version(version)
    if asked < OLDEST:
        raise UsageError(
            f"vLLM {version} is older than any that Sparkwell plans for.",
            hint=f"It knows the memory rules from {OLDEST} on.",
        )
    read = [known for known in history().versions if known <= asked][-1]
    return EngineRules(
        engine="vllm",
        version=str(asked),
        measured=str(asked) in MEASURED,
        source=_source(asked, read),
        **_flags_of(str(read)),
        **_memory_of(read),
        **_graphs_of(read),
    )


def _flags_of(read: str) -> dict[str, Any]:
    """What the recorded history of flags says already."""
    utilization = default("gpu_memory_utilization", read)
    rope = exists("rope_scaling", read)
    return {
        "default_utilization": utilization.value if utilization else None,
        "kv_cache_memory_bytes": bool(exists("kv_cache_memory_bytes", read)),
        "rope_scaling_flag": "rope_scaling" if rope else "hf_overrides",
        "rope_config_key": _at(_ROPE_KEY, Version(read)),
    }


def _memory_of(read: Version) -> dict[str, Any]:
    return {
        "free_memory": "available" if _at(_AVAILABLE, read) else "cuda",
        "startup_check": True,
        "block_tokens": 16,
        "default_batched_tokens": 8192,
        "default_sequences": 1024,
        "auto_kv_follows_checkpoint": _at(_AUTO_KV, read),
        "fp8_kv_on_gb10": _at(_FP8_KV, read),
        "tokens_round": "concurrency" if _at(_BY_CONCURRENCY, read) else "blocks",
        "chunked_prefill_default": True,
        "prefix_caching_default": True,
        "counts_resident": _at(_RESIDENT, read),
        "sleep_gains_kv": _at(_SLEEP_GAINS, read),
        "very_large_batched_tokens": _at(_VERY_LARGE, read),
        "gb10_counts_as_small": _at(_GB10_SMALL, read),
        "fuses_quantization": _at(_FUSES, read),
    }


def _graphs_of(read: Version) -> dict[str, Any]:
    runner = _at(_RUNNERS, read)
    return {
        "counts_graphs": _at(_COUNTS_GRAPHS, read),
        "v2_default": runner.default,
        "v2_architectures": runner.architectures,
        "v2_counts_graphs": _at(_V2_GRAPHS, read),
        "graph_step_above_256": _at(_STEP, read),
        "graphs_take_batched_tokens": _at(_EDGE, read),
        "graphs_take_sequences": _at(_SEQUENCES, read),
    }


def _at(rows: Since[Value], read: Version) -> Value:
    place = bisect_right([Version(since) for since, _ in rows], read)
    return rows[place - 1][1]


def _source(asked: Version, read: Version) -> str:
    if asked > history().versions[-1]:
        return f"not read, newer than any that was; the rules of {_read(read)}"
    if asked != read:
        return f"not read; the rules of {_read(read)}, the nearest older one that was"
    measured = "; starts of it were measured" if str(asked) in MEASURED else ""
    return f"read in vLLM {_read(read)}{measured}"


def _read(read: Version) -> str:
    """The version and its files; two of them have moved."""
    memory = "utils/mem_utils.py" if _at(_AVAILABLE, read) else "utils/__init__.py"
    config = "config/vllm.py" if _at(_AVAILABLE, read) else "config/__init__.py"
    return f"{read} ({FILES}, {memory}, {config})"
