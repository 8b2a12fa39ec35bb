"""Folders for host.sh, out of the catalog: ``configs.py OUT RECIPE…`` writes OUT/RECIPE each.

Each has a config.json, made from the recipe's shape and quantization, and the repository's name.
For weights that are dummies: special tokens and the like are left out.
"""

import json
import sys
from pathlib import Path
from typing import Any

from sparkwell.catalog import Recipe
from sparkwell.catalog.catalog import load_catalog

LLAMA_ROPE = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}  # fmt: skip


def config(recipe: Recipe) -> dict[str, Any]:
    """As config.json has it."""
    shape = recipe.architecture
    found: dict[str, Any] = {
        "architectures": [shape.hf_class], "model_type": shape.model_type,
        "attention_bias": False, "hidden_act": "silu", "rms_norm_eps": 1e-06,
        "hidden_size": shape.hidden_size, "intermediate_size": shape.intermediate_size,
        "num_hidden_layers": shape.num_hidden_layers, "head_dim": shape.head_dim,
        "num_attention_heads": shape.num_attention_heads,
        "num_key_value_heads": shape.num_key_value_heads,
        "vocab_size": shape.vocab_size, "rope_theta": shape.rope_theta,
        "max_position_embeddings": shape.max_position_embeddings,
        "tie_word_embeddings": shape.tie_word_embeddings, "torch_dtype": "bfloat16",
        "use_cache": True, "eos_token_id": shape.vocab_size - 1,
    }  # fmt: skip
    return found | _rope(recipe) | _experts(recipe) | _quantization(recipe)


def _rope(recipe: Recipe) -> dict[str, Any]:
    return {"rope_scaling": LLAMA_ROPE if recipe.architecture.model_type == "llama" else None}


def _experts(recipe: Recipe) -> dict[str, Any]:
    moe = recipe.architecture.moe
    if moe is None:
        return {}
    return {
        "num_experts": moe.num_experts, "num_experts_per_tok": moe.num_experts_per_tok,
        "moe_intermediate_size": moe.moe_intermediate_size, "decoder_sparse_step": 1,
        "mlp_only_layers": [], "norm_topk_prob": True,
    }  # fmt: skip


def _quantization(recipe: Recipe) -> dict[str, Any]:
    made = recipe.quantization
    if made.method == "none":
        return {}
    if made.method == "fp8" and made.block is not None:
        told: dict[str, Any] = {
            "quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic",
            "weight_block_size": list(made.block), "modules_to_not_convert": _kept_wide(recipe),
        }  # fmt: skip
    elif made.method == "modelopt":
        told = {
            "quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_quant_algo": "FP8",
            "ignore": ["lm_head"],
        }  # fmt: skip
    else:
        raise SystemExit(f"{recipe.name}: no config is known for {made.method}.")
    return {"quantization_config": told}


def _kept_wide(recipe: Recipe) -> list[str]:
    """What the checkpoints leave in 16 bits.

    Dummies of a router in 8 bits are next to all 0: its choices are equal, and every token goes to
    the first experts, so that a step reads 8 of them and not 126 (seen on an H200, 2026-11-23).
    """
    shape = recipe.architecture
    layers = range(shape.num_hidden_layers) if shape.moe else ()
    return ["lm_head", *(f"model.layers.{layer}.mlp.gate" for layer in layers)]


def main(out: str, *names: str) -> None:
    """Write the folders."""
    catalog = load_catalog()
    for name in names:
        recipe = catalog.get(name)
        folder = Path(out) / recipe.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config(recipe)), encoding="utf-8")
        (folder / "repo").write_text(str(recipe.repo), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
