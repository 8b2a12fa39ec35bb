"""A GGUF file's metadata as a ModelShape, or a reason why it is not one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparkwell.catalog.checkpoint import Checkpoint
from sparkwell.catalog.families import FAMILIES, Family, UnknownArchitectureError
from sparkwell.catalog.gguf import GgufHeader, Value
from sparkwell.catalog.json_document import shortened, validated
from sparkwell.catalog.recipe import Quantization
from sparkwell.catalog.shape import MixtureOfExperts, ModelShape
from sparkwell.core.errors import DocumentError

# llama.cpp's name of an architecture, and ours. Mistral is "llama" there, and Mixtral too.
_ARCHITECTURES: Mapping[str, str] = {
    "llama": "llama",
    "qwen2": "qwen2",
    "qwen2moe": "qwen2_moe",
    "qwen3": "qwen3",
    "qwen3moe": "qwen3_moe",
    "gemma": "gemma",
    "gemma2": "gemma2",
    "gemma3": "gemma3_text",
    "phi3": "phi3",
    "gpt-oss": "gpt_oss",
}
_LARGEST = 2**27
_BITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class _Metadata:
    """The keys of one architecture, with their types checked."""

    values: Mapping[str, Value]
    architecture: str
    where: str

    def has(self, key: str) -> bool:
        return f"{self.architecture}.{key}" in self.values

    def whole(self, key: str, default: int | None = None) -> int:
        """A positive whole number; a list of equal ones (one a layer) counts as one."""
        name = f"{self.architecture}.{key}"
        value = self.values.get(name, default)
        if isinstance(value, tuple) and value and len(set(value)) == 1:
            value = value[0]
        if isinstance(value, tuple):
            raise _unknown(self.where, self.architecture, f"{name} differs between its layers")
        if value is None:
            raise DocumentError(f"{self.where}: {name}: this key is required and missing")
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _LARGEST:
            said = f"should be a whole number above 0, got {shortened(value)}"
            raise DocumentError(f"{self.where}: {name}: {said}")
        return value

    def optional(self, key: str) -> int | None:
        """As ``whole``; None where the key is missing or 0."""
        value = self.values.get(f"{self.architecture}.{key}")
        return None if value in (None, 0) else self.whole(key)


def gguf_shape(header: GgufHeader, where: str) -> ModelShape:
    """The shape of the model in a GGUF file.

    Raises UnknownArchitectureError for an architecture that is not in the table, DocumentError
    for metadata that contradict themselves.
    """
    family = _family(header, where)
    meta = _Metadata(header.metadata, str(header.metadata["general.architecture"]), where)
    names = {tensor.name for tensor in header.checkpoint}
    heads = meta.whole("attention.head_count")
    native, extended = _contexts(meta)
    window, windowed = _windows(meta, family)
    fields: dict[str, Any] = {
        "hf_class": family.hf_class,
        "model_type": family.model_type,
        "hidden_size": meta.whole("embedding_length"),
        "intermediate_size": meta.whole("feed_forward_length"),
        "num_hidden_layers": meta.whole("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": meta.whole("attention.head_count_kv", default=heads),
        "head_dim": _head_dim(meta, heads),
        "vocab_size": _vocabulary(header.checkpoint, where),
        "max_position_embeddings": meta.whole("context_length"),
        "native_context": native,
        "extended_context": extended,
        "tie_word_embeddings": "output.weight" not in names,
        "qk_norm": "blk.0.attn_q_norm.weight" in names,
        "rope_theta": _theta(meta),
        "moe": _experts(meta),
        "sliding_window": window,
        "sliding_layers": windowed,
        "attention_bias": _bias(names),
        "norms_per_layer": family.norms_per_layer,
    }
    return validated(fields, ModelShape, where)


def gguf_quantization(checkpoint: Checkpoint) -> Quantization:
    """The type that most bytes of the file have, with the others in ``notes``."""
    weights = checkpoint.bytes_by_dtype
    main = next(iter(weights), "F16")
    bits = _BITS.search(main.removeprefix("IQ").removeprefix("TQ"))
    said = ", ".join(weights) or "no tensors"
    fields = {"method": "gguf", "weight_bits": int(bits.group()) if bits else 16}
    return validated({**fields, "notes": f"Types in the file: {said}."}, Quantization, "gguf")


def _family(header: GgufHeader, where: str) -> Family:
    name = header.metadata.get("general.architecture")
    if not isinstance(name, str):
        raise DocumentError(f"{where}: general.architecture: this key is required and missing")
    known = _ARCHITECTURES.get(name)
    if known is None:
        reason = "this architecture is not one of those that Sparkwell knows"
        raise _unknown(where, name, reason)
    if f"{name}.attention.kv_lora_rank" in header.metadata:
        raise _unknown(where, name, "it has multi-head latent attention")
    many = header.metadata.get(f"{name}.expert_count")
    return FAMILIES["mixtral" if known == "llama" and many else known]


def _unknown(where: str, architecture: str, reason: str) -> UnknownArchitectureError:
    return UnknownArchitectureError(
        f"{where}: the KV cache of {shortened(architecture)} cannot be computed: {reason}.",
        hint="Start it in the engine and read the size of the KV cache from its log. "
        f"Known in GGUF files: {', '.join(_ARCHITECTURES)}.",
    )


def _head_dim(meta: _Metadata, heads: int) -> int:
    width = meta.whole("embedding_length")
    if not meta.has("attention.key_length") and width % heads:
        said = f"attention.key_length is missing, and {heads} heads do not divide {width}"
        raise DocumentError(f"{meta.where}: {meta.architecture}.{said}")
    keys = meta.whole("attention.key_length", default=max(width // heads, 1))
    if meta.whole("attention.value_length", default=keys) != keys:
        raise _unknown(meta.where, meta.architecture, "its keys and values have different widths")
    return keys


def _contexts(meta: _Metadata) -> tuple[int, int | None]:
    """What it was trained for and what the file's own scaling reaches, in tokens."""
    longest = meta.whole("context_length")
    before = meta.optional("rope.scaling.original_context_length")
    return (before, longest) if before and before < longest else (longest, None)


def _windows(meta: _Metadata, family: Family) -> tuple[int | None, int]:
    """The window in tokens and how many layers have it, as llama.cpp gives it to these only."""
    default = family.window if family.model_type == "gemma2" else None
    window = meta.optional("attention.sliding_window") or default
    if window is None or family.full_every is None:
        return None, 0
    layers = meta.whole("block_count")
    windowed = layers - layers // family.full_every
    return (window, windowed) if windowed else (None, 0)


def _vocabulary(checkpoint: Checkpoint, where: str) -> int:
    """Rows of the embedding: the vocabulary itself is not kept."""
    for tensor in checkpoint:
        if tensor.name == "token_embd.weight" and len(tensor.shape) == 2:
            return tensor.shape[0]
    raise DocumentError(f"{where}: token_embd.weight: this tensor is required and missing")


def _theta(meta: _Metadata) -> float:
    value = meta.values.get(f"{meta.architecture}.rope.freq_base")
    return float(value) if isinstance(value, int | float) and value > 0 else 10_000.0


def _bias(names: set[str]) -> str | None:
    if "blk.0.attn_q.bias" not in names:
        return None
    return "qkvo" if "blk.0.attn_output.bias" in names else "qkv"


def _experts(meta: _Metadata) -> MixtureOfExperts | None:
    count = meta.optional("expert_count")
    if count is None:
        return None
    own = meta.optional("expert_feed_forward_length")
    fields = {
        "num_experts": count,
        "num_experts_per_tok": meta.whole("expert_used_count"),
        "moe_intermediate_size": own or meta.whole("feed_forward_length"),
        "dense_layers": meta.optional("leading_dense_block_count") or 0,
        "shared_expert_intermediate_size": meta.optional("expert_shared_feed_forward_length"),
    }
    return validated(fields, MixtureOfExperts, meta.where)
