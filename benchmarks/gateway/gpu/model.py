"""A checkpoint that weighs nothing: ``model.py CONFIG_FOLDER HF_CACHE REPOSITORY``.

In a Hugging Face cache: the config, a stand-in tokenizer of one word a token, and weights as one
file with holes, whose header names the tensors of a Qwen3 with FP8 weights in blocks and whose size
is right. For an engine with load_format=dummy, which reads none of it. Needs tokenizers.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers

SIZES = {"BF16": 2, "F8_E4M3": 1}
REVISION = "0" * 40
Tensor = tuple[str, str, tuple[int, ...]]


def main(config: str, cache: str, repository: str) -> None:
    """Write the repository's folder."""
    folder = Path(cache) / ("models--" + repository.replace("/", "--"))
    snapshot = folder / "snapshots" / REVISION
    snapshot.mkdir(parents=True, exist_ok=True)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(REVISION, encoding="utf-8")
    shutil.copy(Path(config) / "config.json", snapshot)
    document = json.loads((snapshot / "config.json").read_text(encoding="utf-8"))
    write_tokenizer(document["vocab_size"], snapshot)
    size = write_weights(document, snapshot / "model.safetensors")
    print(json.dumps({"folder": str(snapshot), "tensor_bytes": size}))


def write_tokenizer(words: int, out: Path) -> None:
    """One word a token: ``t0`` to ``t150000``."""
    vocabulary = {f"t{at}": at for at in range(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="t0"))  # noqa: S106 - no password
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(out / "tokenizer.json"))
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": f"t{words - 1}"}
    (out / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")


def write_weights(config: dict[str, Any], out: Path) -> int:
    """Write the header, and holes for the rest; the bytes of all tensors."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, kind, shape in tensors(config):
        size = SIZES[kind]
        for each in shape:
            size *= each
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with out.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + at)
    return at


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
    hidden, head, inner = (config[key] for key in ("hidden_size", "head_dim", "intermediate_size"))
    queries, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    norms = {"input_layernorm": hidden, "post_attention_layernorm": hidden}
    norms |= {"self_attn.q_norm": head, "self_attn.k_norm": head}
    for name, size in norms.items():
        yield f"{prefix}{name}.weight", "BF16", (size,)
    down, across = config["quantization_config"]["weight_block_size"]
    shapes = {
        "self_attn.q_proj": (queries, hidden),
        "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden),
        "self_attn.o_proj": (hidden, queries),
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
    }
    for name, (rows, columns) in shapes.items():
        yield f"{prefix}{name}.weight", "F8_E4M3", (rows, columns)
        blocks = (-(-rows // down), -(-columns // across))
        yield f"{prefix}{name}.weight_scale_inv", "BF16", blocks


if __name__ == "__main__":
    main(*sys.argv[1:])
