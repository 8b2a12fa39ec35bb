"""Contexts beyond a model's own window: rope scaling (YaRN), as an engine version wants it said.

vLLM derives the longest context as original_max_position_embeddings x factor up to 0.29; from
0.30.0 on it takes max_position_embeddings as it stands, so that is written too (config/model.py,
``_get_and_verify_max_len``; vLLM's own recipe for Qwen3-32B does the same).
"""

import json
from dataclasses import dataclass
from math import ceil
from typing import Any

from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import FlagValue
from sparkwell.catalog.shape import ModelShape
from sparkwell.core.errors import UsageError
from sparkwell.core.units import GIB
from sparkwell.planner import kv
from sparkwell.planner.engine_rules import EngineRules
from sparkwell.planner.fit import Flags
from sparkwell.planner.settings import CACHE_BYTES, cache_type

PRICE = "The scaling is the same for all lengths, so answers to short texts may get a little worse."
_KEYS = ("rope_scaling", "rope_parameters")


@dataclass(frozen=True, slots=True)
class Scaling:
    """One scaling: a whole ``factor`` of the ``native`` tokens, and the flag that says it."""

    factor: int
    native: int
    flag: str
    value: str

    @property
    def reach(self) -> int:
        """The longest context with it, in tokens."""
        return self.factor * self.native

    @property
    def option(self) -> str:
        """The flag as one types it for Sparkwell."""
        return f"--set {self.flag}='{self.value}'"


def unscaled_limit(shape: ModelShape) -> int:
    """The longest context, in tokens, that the engine takes without more flags.

    Can be above the window that the model was trained for: Qwen3's 40,960 leave room for an
    answer, the million of some configs is no window at all.
    """
    return max(shape.max_position_embeddings, shape.native_context)


def scaled_limit(shape: ModelShape) -> int:
    """The longest context that the model's makers allow with scaling, else its own."""
    return max(shape.extended_context or 0, unscaled_limit(shape))


def scaling_for(shape: ModelShape, rules: EngineRules, tokens: int) -> Scaling | None:
    """The smallest scaling for a context of ``tokens``; None where it needs none, or is too far.

    A whole factor, as model cards give it: 32,768 tokens and factor 4 make 131,072.
    """
    if not unscaled_limit(shape) < tokens <= scaled_limit(shape):
        return None
    factor = ceil(tokens / shape.native_context)
    return Scaling(factor, shape.native_context, *_written(shape, rules, factor))


def longest_with(shape: ModelShape, flags: Flags) -> int:
    """The longest context, in tokens, that these flags allow; a scaling in them counts."""
    given = _given(flags)
    factor = given.get("factor")
    if not isinstance(factor, int | float):
        return unscaled_limit(shape)
    before = given.get("original_max_position_embeddings") or shape.native_context
    return max(unscaled_limit(shape), int(before * factor))


def check_context(described: Described, rules: EngineRules, flags: Flags) -> None:
    """Raise UsageError for a max_model_len that model and flags do not reach.

    The error says which rope scaling would allow it, what a sequence then takes, and the price.
    """
    tokens = flags.get("max_model_len")
    if not isinstance(tokens, int) or tokens <= longest_with(described.shape, flags):
        return
    shape = described.shape
    scaling = scaling_for(shape, rules, tokens)
    longest = longest_with(shape, flags)
    said = f"{described.name} takes {longest:,} tokens, not {tokens:,}."
    raise UsageError(said, hint=_hint(described, rules, flags, scaling))


def scales_rope(flags: Flags) -> bool:
    """Whether flags set the scaling of rotary positions already."""
    return bool(_given(flags))


def _given(flags: Flags) -> dict[str, Any]:
    """The scaling within the flags, empty where there is none."""
    alone = _object(flags.get("rope_scaling"))
    overrides = _object(flags.get("hf_overrides"))
    for key in _KEYS:
        if not alone and isinstance(overrides.get(key), dict):
            return dict(overrides[key])
    return alone


def _object(value: FlagValue | None) -> dict[str, Any]:
    try:
        found = json.loads(value) if isinstance(value, str) else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _written(shape: ModelShape, rules: EngineRules, factor: int) -> tuple[str, str]:
    native = shape.native_context
    scaling: dict[str, Any] = {
        "rope_type": "yarn",
        "factor": float(factor),
        "original_max_position_embeddings": native,
    }
    if rules.rope_scaling_flag == "rope_scaling":
        return "rope_scaling", _json(scaling)
    if rules.rope_config_key == "rope_parameters":
        theta = shape.rope_theta
        scaling["rope_theta"] = int(theta) if theta.is_integer() else theta
    whole = {"max_position_embeddings": factor * native, rules.rope_config_key: scaling}
    return "hf_overrides", _json(whole)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _hint(described: Described, rules: EngineRules, flags: Flags, scaling: Scaling | None) -> str:
    shape = described.shape
    tokens = int(flags["max_model_len"])
    if scaling is None and shape.extended_context is None:
        return (
            "Its makers describe no scaling beyond that; where scaling is in its config.json "
            "(Llama 3.1 and later), it is counted already."
        )
    if scaling is None:
        return f"With rope scaling (YaRN) its makers allow {scaled_limit(shape):,}, no more."
    width = CACHE_BYTES[cache_type(flags.get("kv_cache_dtype", "auto"), described, rules)]
    size = kv.sequence_bytes(shape, width, tokens) / GIB
    return (
        f"Rope scaling allows it: --profile long-context, or {scaling.option}. One sequence of "
        f"{tokens:,} tokens takes {size:.1f} GiB of KV cache. {PRICE}"
    )
