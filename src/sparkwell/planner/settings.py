"""The flags that memory and speed depend on, resolved: a number where the user said nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import UsageError
from sparkwell.core.units import GIB
from sparkwell.hardware.machine import Machine
from sparkwell.planner.engine_rules import EngineRules

CacheType = Literal["bf16", "fp8"]
CACHE_BYTES: Mapping[CacheType, int] = {"bf16": 2, "fp8": 1}
_CACHE_TYPES: Mapping[str, CacheType] = {
    "bfloat16": "bf16",
    "float16": "bf16",
    "fp8": "fp8",
    "fp8_e4m3": "fp8",
    "fp8_e5m2": "fp8",
    "fp8_inc": "fp8",
}
FITTED = ("auto", -1)
"""Values of max_model_len with which the engine takes as much context as fits."""
GB10 = (12, 1)
# The KV cache of vLLM's CPU build has a size of its own, VLLM_CPU_KVCACHE_SPACE: what we set.
CPU_CACHE = 1024**3


@dataclass(frozen=True, slots=True)
class Settings:
    """What a start is given, with the engine's defaults filled in.

    ``utilization`` is a share of the memory (0 to 1). ``max_model_len`` and
    ``max_num_batched_tokens`` are tokens, ``max_num_seqs`` sequences, ``block_tokens`` the KV
    block. ``kv_cache_memory_bytes`` is None unless the user gave the KV cache in bytes.
    ``native_len`` is what the model takes without scaled positions; with ``fitted_len`` the engine
    lowers the context to what its KV cache holds.
    """

    utilization: float
    max_model_len: int
    max_num_batched_tokens: int
    max_num_seqs: int
    cache_type: CacheType
    block_tokens: int
    native_len: int
    kv_cache_memory_bytes: int | None = None
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    eager: bool = False
    sleep_mode: bool = False
    dummy_weights: bool = False
    fitted_len: bool = False

    @property
    def rows(self) -> int:
        """Sequences in the engine's trial run: no more than it has tokens."""
        return min(self.max_num_batched_tokens, self.max_num_seqs)

    @property
    def gpus(self) -> int:
        """Devices that share the model."""
        return self.tensor_parallel * self.pipeline_parallel


def resolve(
    flags: Mapping[str, FlagValue], described: Described, machine: Machine, rules: EngineRules
) -> Settings:
    """The settings behind a set of flags; raises UsageError for a value that cannot be planned."""
    _check_devices(flags, described, machine)
    batch = rules.defaults_for(machine.compute_capability == GB10, machine.total_bytes)
    tokens = _number(flags, "max_num_batched_tokens", batch.batched_tokens)
    given = _given_cache(flags, machine)
    return Settings(
        utilization=float(flags.get("gpu_memory_utilization", rules.default_utilization)),
        max_model_len=_model_len(flags, described),
        max_num_batched_tokens=tokens,
        max_num_seqs=min(_number(flags, "max_num_seqs", batch.sequences), tokens),
        cache_type=cache_type(flags.get("kv_cache_dtype", "auto"), described, rules),
        block_tokens=_number(flags, "block_size", rules.block_tokens),
        native_len=described.shape.max_position_embeddings,
        kv_cache_memory_bytes=given,
        tensor_parallel=_number(flags, "tensor_parallel_size", 1),
        pipeline_parallel=_number(flags, "pipeline_parallel_size", 1),
        eager=flags.get("enforce_eager") is True,
        sleep_mode=flags.get("enable_sleep_mode") is True,
        dummy_weights=flags.get("load_format") == "dummy",
        fitted_len=flags.get("max_model_len") in FITTED,
    )


def cache_type(value: FlagValue, described: Described, rules: EngineRules) -> CacheType:
    """How keys and values are stored; raises UsageError for a type that is not modelled."""
    if value == "auto":
        declared = described.quantization.kv_cache_dtype == "fp8"
        return "fp8" if declared and rules.auto_kv_follows_checkpoint else "bf16"
    found = _CACHE_TYPES.get(str(value))
    if found is None:
        raise UsageError(
            f"The size of a KV cache of type {value!r} is not known.",
            hint=f"Known are auto, {', '.join(_CACHE_TYPES)}.",
        )
    return found


def _number(flags: Mapping[str, FlagValue], name: str, default: int) -> int:
    value = flags.get(name)
    return default if value is None else int(value)


def _given_cache(flags: Mapping[str, FlagValue], machine: Machine) -> int | None:
    given = flags.get("kv_cache_memory_bytes")
    if given is None:
        return CPU_CACHE if machine.device == "cpu" else None
    if int(given) > machine.total_bytes:
        raise UsageError(
            f"kv_cache_memory_bytes is {int(given) / GIB:,.1f} GiB; {machine.name} has "
            f"{machine.total_bytes / GIB:,.1f}.",
            hint="It is in bytes: 20 GiB are 21474836480.",
        )
    return int(given)


def _model_len(flags: Mapping[str, FlagValue], described: Described) -> int:
    """The context; "auto" (and -1) begin at the model's own."""
    value = flags.get("max_model_len")
    own = described.shape.max_position_embeddings
    return own if value is None or value in FITTED else int(value)


def _check_devices(flags: Mapping[str, FlagValue], described: Described, machine: Machine) -> None:
    """Refuse more GPUs than there are, and heads that they cannot share."""
    tensor, pipeline = (
        _number(flags, f"{kind}_parallel_size", 1) for kind in ("tensor", "pipeline")
    )
    if tensor * pipeline > machine.gpus:
        raise UsageError(
            f"{machine.name} has {machine.gpus} device{'s' if machine.gpus > 1 else ''}; "
            f"tensor_parallel_size x pipeline_parallel_size is {tensor * pipeline}.",
            hint="Lower them, or plan for another machine with --hardware.",
        )
    heads = described.shape.num_attention_heads
    if heads % tensor:
        raise UsageError(
            f"{described.name} has {heads} attention heads, which {tensor} devices cannot share.",
            hint="tensor_parallel_size must divide them.",
        )
