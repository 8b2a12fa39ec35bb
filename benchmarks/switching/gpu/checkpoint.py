"""Writes a checkpoint with random weights: ``checkpoint.py CONFIG_FOLDER OUT [--layers N]``.

For Qwen3 with FP8 weights in blocks, in the tensors and types of the published repositories: the
files have their size, and loading and loading again does the work that it does with the real
ones. The tokenizer is a stand-in of one word a token. Needs torch, safetensors and tokenizers.
"""

import argparse
import json
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

Tensors = dict[str, torch.Tensor]
LAYERS_PER_FILE = 9
SPREAD = 0.02  # of the weights, so that activations stay finite
SCALE = 0.005
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def main() -> None:
    """Write config, tokenizer and weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--layers", type=int, help="fewer than the model has, to try it out")
    given = parser.parse_args()
    began = time.monotonic()
    given.out.mkdir(parents=True, exist_ok=True)
    config = json.loads((given.config / "config.json").read_text(encoding="utf-8"))
    config["num_hidden_layers"] = given.layers or config["num_hidden_layers"]
    (given.out / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    write_tokenizer(config["vocab_size"], given.out)
    written = write_weights(config, given.out)
    seconds = time.monotonic() - began
    print(json.dumps({"bytes": written, "seconds": round(seconds, 1), "out": str(given.out)}))


def write_tokenizer(words: int, out: Path) -> None:
    """One word a token: ``t0`` to ``t150000``."""
    vocabulary = {f"t{at}": at for at in range(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="t0"))  # noqa: S106 - no password
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(out / "tokenizer.json"))
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": f"t{words - 1}"}
    (out / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")


def write_weights(config: dict[str, Any], out: Path) -> int:
    """Write all files and their index; the bytes of all tensors."""
    torch.manual_seed(0)
    index: dict[str, str] = {}
    total = 0
    for number, tensors in enumerate(files(config)):
        name = f"model-{number:05}.safetensors"
        save_file(tensors, out / name, metadata={"format": "pt"})
        index |= dict.fromkeys(tensors, name)
        total += sum(tensor.nbytes for tensor in tensors.values())
    document = {"metadata": {"total_size": total}, "weight_map": index}
    (out / "model.safetensors.index.json").write_text(json.dumps(document), encoding="utf-8")
    return total


def files(config: dict[str, Any]) -> Iterator[Tensors]:
    """The tensors of each file."""
    hidden, words = config["hidden_size"], config["vocab_size"]
    yield {"model.embed_tokens.weight": normal(words, hidden), "model.norm.weight": ones(hidden)}
    yield {"lm_head.weight": normal(words, hidden)}
    numbers = range(config["num_hidden_layers"])
    for _, few in groupby(numbers, key=lambda number: number // LAYERS_PER_FILE):
        yield {name: tensor for at in few for name, tensor in layer(config, at).items()}


def layer(config: dict[str, Any], at: int) -> Tensors:
    """One decoder layer."""
    hidden, head, inner = (config[key] for key in ("hidden_size", "head_dim", "intermediate_size"))
    queries, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    shapes = {
        "self_attn.q_proj": (queries, hidden),
        "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden),
        "self_attn.o_proj": (hidden, queries),
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
    }
    norms = {"input_layernorm": hidden, "post_attention_layernorm": hidden}
    norms |= {"self_attn.q_norm": head, "self_attn.k_norm": head}
    prefix = f"model.layers.{at}."
    tensors = {f"{prefix}{name}.weight": ones(size) for name, size in norms.items()}
    block = config["quantization_config"]["weight_block_size"]
    for name, shape in shapes.items():
        tensors |= quantized(f"{prefix}{name}", shape, block)
    return tensors


def quantized(name: str, shape: tuple[int, int], block: tuple[int, int]) -> Tensors:
    """A weight in FP8 and one scale for each of its blocks."""
    blocks = [-(-size // step) for size, step in zip(shape, block, strict=True)]
    values = torch.randn(shape, device=DEVICE, dtype=torch.bfloat16) * (SPREAD / SCALE)
    return {
        f"{name}.weight": values.to(torch.float8_e4m3fn).cpu(),
        f"{name}.weight_scale_inv": torch.full(blocks, SCALE, dtype=torch.bfloat16),
    }


def normal(*shape: int) -> torch.Tensor:
    """Random weights in BF16."""
    return (torch.randn(shape, device=DEVICE, dtype=torch.bfloat16) * SPREAD).cpu()


def ones(size: int) -> torch.Tensor:
    """A norm's weights."""
    return torch.ones(size, dtype=torch.bfloat16)


if __name__ == "__main__":
    main()
