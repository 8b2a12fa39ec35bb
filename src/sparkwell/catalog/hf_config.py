"""A Hugging Face config.json as a ModelShape, or a reason why it is not one."""

from dataclasses import dataclass
from typing import Any, Literal

from sparkwell.catalog.families import Family, UnknownArchitectureError, family_of
from sparkwell.catalog.hf_keys import ConfigKeys
from sparkwell.catalog.hf_layers import experts, missing_key, windows
from sparkwell.catalog.hf_quantization import read_quantization
from sparkwell.catalog.hf_rope import Contexts, read_contexts
from sparkwell.catalog.json_document import read_object, shortened, validated
from sparkwell.catalog.recipe import Quantization
from sparkwell.catalog.shape import ModelShape
from sparkwell.core.errors import DocumentError


@dataclass(frozen=True, slots=True)
class ConfigReading:
    """What a config.json says.

    ``rotary_positions`` is the length of the engine's table of rotary positions, in tokens.
    ``uncounted`` names tensors that the shape has no field for; bytes computed from the shape
    leave them out. ``notes`` are sentences about what was assumed or left aside.
    """

    shape: ModelShape
    quantization: Quantization
    rotary_positions: int
    uncounted: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_config(
    text: str | bytes, where: str, modelopt: str | bytes | None = None
) -> ConfigReading:
    """Read a config.json; ``where`` names it in messages.

    ``modelopt`` is the hf_quant_config.json beside it, when there is one. Raises DocumentError
    for a file that contradicts itself, UnknownArchitectureError for a KV cache of another kind,
    UnknownQuantizationError for a quantization that is not known.
    """
    data = read_object(text, where)
    family = family_of(data, where)
    config = validated(data, ConfigKeys, where)
    contexts = read_contexts(data, config.max_position_embeddings, family.model_type, where)
    beside = read_object(modelopt, "hf_quant_config.json") if modelopt is not None else None
    dtype = config.dtype or config.torch_dtype
    declared = read_quantization(data, beside, dtype, where)
    return ConfigReading(
        shape=_shape(config, family, contexts, where),
        quantization=declared.quantization,
        rotary_positions=contexts.table,
        uncounted=(*_uncounted(config, family), *declared.uncounted),
        notes=(*contexts.notes, *declared.notes),
    )


def _shape(config: ConfigKeys, family: Family, contexts: Contexts, where: str) -> ModelShape:
    window, windowed = windows(config, family, where)
    tied = config.tie_word_embeddings
    fields: dict[str, Any] = {
        "hf_class": _hf_class(config, family, where),
        "model_type": family.model_type,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": _kv_heads(config, family, where),
        "head_dim": _head_dim(config, family, where),
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.max_position_embeddings,
        "native_context": contexts.native,
        "extended_context": contexts.extended,
        "tie_word_embeddings": family.tied if tied is None else tied,
        "qk_norm": family.qk_norm or config.use_qk_norm is True,
        "rope_theta": contexts.theta,
        "moe": experts(config, family, where),
        "sliding_window": window,
        "sliding_layers": windowed,
        "attention_bias": _bias(config, family),
        "norms_per_layer": family.norms_per_layer,
    }
    return validated(fields, ModelShape, where)


def _hf_class(config: ConfigKeys, family: Family, where: str) -> str:
    named = config.architectures[0] if config.architectures else family.hf_class
    if named != family.hf_class:
        raise UnknownArchitectureError(
            f"{where}: architectures says {shortened(named)}, a {family.model_type} model that "
            f"generates text is {family.hf_class}.",
            hint="Sparkwell plans models that generate text, with the classes of transformers.",
        )
    return named


def _kv_heads(config: ConfigKeys, family: Family, where: str) -> int:
    heads, count = config.num_attention_heads, config.num_key_value_heads
    if count is None:
        if not family.kv_heads_default:
            raise missing_key("num_key_value_heads", family, where)
        return heads
    if heads % count:
        raise DocumentError(
            f"{where}: num_key_value_heads ({count}) does not divide num_attention_heads ({heads})"
        )
    return count


def _head_dim(config: ConfigKeys, family: Family, where: str) -> int:
    known = config.head_dim or family.head_dim
    if known:
        return known
    width, heads = config.hidden_size, config.num_attention_heads
    if width % heads:
        raise DocumentError(
            f"{where}: head_dim is missing, and num_attention_heads ({heads}) does not divide "
            f"hidden_size ({width})"
        )
    return width // heads


def _bias(config: ConfigKeys, family: Family) -> Literal["qkv", "qkvo"] | None:
    """Biases of the projections; ``attention_bias`` means q, k, v for GLM, and o too for others."""
    if config.attention_bias is None:
        return family.bias
    with_bias = family.bias or ("qkv" if family.experts == "glm" else "qkvo")
    return with_bias if config.attention_bias else None


def _uncounted(config: ConfigKeys, family: Family) -> tuple[str, ...]:
    return (*family.uncounted, *(("biases of the MLPs",) if config.mlp_bias else ()))
