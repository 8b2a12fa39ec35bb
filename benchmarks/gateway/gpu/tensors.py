"""The tensors of a checkpoint, from its config.json: names, types and shapes as published.

Of a Qwen3 (dense, or of experts) or a Llama, in BF16, in FP8 blocks or in ModelOpt's FP8.
"""

from collections.abc import Iterator
from typing import Any

SIZES = {"BF16": 2, "F8_E4M3": 1, "F32": 4}
"""Bytes."""
Tensor = tuple[str, str, tuple[int, ...]]


def tensors(config: dict[str, Any]) -> Iterator[Tensor]:
    """Names, types and shapes as in the published repositories."""
    hidden, words = config["hidden_size"], config["vocab_size"]
    yield "model.embed_tokens.weight", "BF16", (words, hidden)
    yield "model.norm.weight", "BF16", (hidden,)
    yield "lm_head.weight", "BF16", (words, hidden)
    for number in range(config["num_hidden_layers"]):
        yield from layer(config, f"model.layers.{number}.")


def layer(config: dict[str, Any], prefix: str) -> Iterator[Tensor]:
    """One decoder layer."""
    for name, size in norms(config).items():
        yield f"{prefix}{name}.weight", "BF16", (size,)
    for name, shape in linears(config).items():
        yield from linear(config, f"{prefix}{name}", shape)
    if config.get("num_experts"):
        router = (config["num_experts"], config["hidden_size"])
        yield f"{prefix}mlp.gate.weight", "BF16", router
    if _scheme(config) == "modelopt":
        yield f"{prefix}self_attn.k_proj.k_scale", "F32", ()
        yield f"{prefix}self_attn.v_proj.v_scale", "F32", ()


def norms(config: dict[str, Any]) -> dict[str, int]:
    """The normalizations of a layer; Qwen3 has two for queries and keys."""
    hidden, head = config["hidden_size"], config["head_dim"]
    found = {"input_layernorm": hidden, "post_attention_layernorm": hidden}
    if config["model_type"].startswith("qwen3"):
        found |= {"self_attn.q_norm": head, "self_attn.k_norm": head}
    return found


def linears(config: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """The linear layers of a decoder layer, each as rows and columns."""
    hidden, head = config["hidden_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    found = {
        "self_attn.q_proj": (queries, hidden), "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden), "self_attn.o_proj": (hidden, queries),
    }  # fmt: skip
    experts = config.get("num_experts")
    if not experts:
        return found | _mlp("mlp", hidden, config["intermediate_size"])
    for number in range(experts):
        found |= _mlp(f"mlp.experts.{number}", hidden, config["moe_intermediate_size"])
    return found


def _mlp(prefix: str, hidden: int, inner: int) -> dict[str, tuple[int, int]]:
    return {
        f"{prefix}.gate_proj": (inner, hidden), f"{prefix}.up_proj": (inner, hidden),
        f"{prefix}.down_proj": (hidden, inner),
    }  # fmt: skip


def linear(config: dict[str, Any], name: str, shape: tuple[int, int]) -> Iterator[Tensor]:
    """The weight of a linear layer, with its scales where it is quantized."""
    scheme = _scheme(config)
    yield f"{name}.weight", "BF16" if scheme is None else "F8_E4M3", shape
    if scheme == "fp8":
        down, across = config["quantization_config"]["weight_block_size"]
        yield f"{name}.weight_scale_inv", "BF16", (-(-shape[0] // down), -(-shape[1] // across))
    elif scheme == "modelopt":
        yield f"{name}.weight_scale", "F32", ()
        yield f"{name}.input_scale", "F32", ()


def _scheme(config: dict[str, Any]) -> str | None:
    found: str | None = config.get("quantization_config", {}).get("quant_method")
    return found
