"""The families of decoders whose KV cache and weights follow from a config.json.

A family is a ``model_type`` of transformers. What a config.json leaves out is what transformers
(5.19, configuration classes) then assumes, since vLLM reads the file through transformers.
Everything that is not here is refused, with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sparkwell.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class Family:
    """What holds for every model of a ``model_type``.

    ``tied``, ``head_dim`` and ``window`` are what a config.json without that key means; a
    ``head_dim`` of None then is hidden_size / num_attention_heads. ``kv_heads_default`` says
    whether a missing num_key_value_heads means one for each query head. Of ``full_every``
    layers the last one sees everything, the others a window. ``switch`` is set where the window
    counts only with use_sliding_window. ``uncounted`` names the tensors of the family that the
    shape has no field for; they weigh about 0.1 % of the model at most.
    """

    model_type: str
    hf_class: str
    tied: bool = False
    head_dim: int | None = None
    kv_heads_default: bool = False
    qk_norm: bool = False
    bias: Literal["qkv", "qkvo"] | None = None
    norms_per_layer: int = 2
    window: int | None = None
    full_every: int | None = None
    switch: bool = False
    upper_layers: bool = False
    experts: Literal["none", "mixtral", "qwen", "glm", "gpt-oss"] = "none"
    uncounted: tuple[str, ...] = ()


class UnknownArchitectureError(UsageError):
    """The KV cache of this architecture is not one that can be computed here."""

    code = "unknown_architecture"
    http_status = 422


_SINKS = ("attention sinks, biases of routers and experts",)
_ALL = (
    Family("llama", "LlamaForCausalLM", kv_heads_default=True),
    Family("mistral", "MistralForCausalLM", window=4096),
    Family("qwen2", "Qwen2ForCausalLM", bias="qkv", switch=True, upper_layers=True),
    Family("qwen3", "Qwen3ForCausalLM", head_dim=128, qk_norm=True, switch=True, upper_layers=True),
    Family("mixtral", "MixtralForCausalLM", experts="mixtral"),
    Family(
        "qwen2_moe",
        "Qwen2MoeForCausalLM",
        bias="qkv",
        switch=True,
        upper_layers=True,
        experts="qwen",
        uncounted=("gates of the shared experts",),
    ),
    Family("qwen3_moe", "Qwen3MoeForCausalLM", qk_norm=True, switch=True, experts="qwen"),
    Family("gemma", "GemmaForCausalLM", tied=True, head_dim=256),
    Family(
        "gemma2",
        "Gemma2ForCausalLM",
        tied=True,
        head_dim=256,
        norms_per_layer=4,
        window=4096,
        full_every=2,
    ),
    Family(
        "gemma3_text",
        "Gemma3ForCausalLM",
        tied=True,
        head_dim=256,
        qk_norm=True,
        norms_per_layer=4,
        window=4096,
        full_every=6,
    ),
    Family("phi3", "Phi3ForCausalLM", kv_heads_default=True),
    Family("granite", "GraniteForCausalLM", kv_heads_default=True),
    Family("seed_oss", "SeedOssForCausalLM", head_dim=128, bias="qkv"),
    Family(
        "gpt_oss",
        "GptOssForCausalLM",
        head_dim=64,
        bias="qkvo",
        window=128,
        full_every=2,
        experts="gpt-oss",
        uncounted=_SINKS,
    ),
    Family(
        "glm4_moe", "Glm4MoeForCausalLM", experts="glm", uncounted=("correction of the routers",)
    ),
)
FAMILIES: Mapping[str, Family] = {family.model_type: family for family in _ALL}

# A key that names the kind of attention or of model, and why its KV cache is another.
_REASONS = (
    (
        "kv_lora_rank",
        "it has multi-head latent attention, which keeps one compressed vector a token",
    ),
    (
        "linear_num_value_heads",
        "it mixes attention with linear attention, which keeps a fixed state",
    ),
    ("mamba_d_state", "it mixes attention with Mamba layers, which keep a fixed state"),
    ("mamba_num_heads", "it mixes attention with Mamba layers, which keep a fixed state"),
    ("ssm_cfg", "it is a state-space model, which keeps a fixed state instead of keys and values"),
    (
        "state_size",
        "it is a state-space model, which keeps a fixed state instead of keys and values",
    ),
    ("block_configs", "its layers have different numbers of heads"),
    ("num_kv_shared_layers", "some of its layers use the keys and values of others"),
    ("text_config", "it is a model for more than text, with a decoder inside another model"),
    ("vision_config", "it is a model for more than text"),
    ("encoder_layers", "it is an encoder-decoder"),
)
_ATTENTION = ("full_attention", "sliding_attention")


def family_of(config: Mapping[str, Any], where: str) -> Family:
    """The family of a config.json; raises UnknownArchitectureError that says why not."""
    name = config.get("model_type")
    reason = _reason(config)
    family = FAMILIES.get(name) if isinstance(name, str) else None
    if family and reason is None:
        return family
    raise UnknownArchitectureError(
        f"{where}: the KV cache of {_named(config)} cannot be computed: "
        f"{reason or 'this architecture is not one of those that Sparkwell knows'}.",
        hint="Start it in the engine and read the size of the KV cache from its log. "
        f"Known: {', '.join(FAMILIES)}.",
    )


def _reason(config: Mapping[str, Any]) -> str | None:
    for key, reason in _REASONS:
        if config.get(key):
            return reason
    if config.get("is_encoder_decoder") is True:
        return "it is an encoder-decoder"
    kinds = config.get("layer_types")
    if not isinstance(kinds, list):
        return None
    odd = next((kind for kind in kinds if isinstance(kind, str) and kind not in _ATTENTION), None)
    return f"it has layers of the kind {odd[:40]!r}" if odd else None


def _named(config: Mapping[str, Any]) -> str:
    """The architecture as config.json names it, cut to a length that fits a message."""
    classes, kind = config.get("architectures"), config.get("model_type")
    first = classes[0] if isinstance(classes, list) and classes else None
    said = [str(word)[:60] for word in (first, kind) if isinstance(word, str)]
    return " / ".join(said) or "a model that names no model_type"
