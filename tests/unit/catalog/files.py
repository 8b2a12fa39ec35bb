"""Checkpoints as files: configs of known models, safetensors and GGUF with nothing in them."""

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sparkwell.catalog import ModelShape
from sparkwell.catalog.checkpoint import BLOCKS, Tensor

Sizes = Mapping[str, tuple[str, tuple[int, ...]]]
Listed = dict[str, tuple[str, tuple[int, ...]]]

FP8_BLOCKS = {
    "activation_scheme": "dynamic",
    "fmt": "e4m3",
    "quant_method": "fp8",
    "weight_block_size": [128, 128],
}
# As published: every key of Qwen3-8B's config.json that says something about sizes.
QWEN3_8B: dict[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"],
    "attention_bias": False,
    "head_dim": 128,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "max_position_embeddings": 40960,
    "max_window_layers": 36,
    "model_type": "qwen3",
    "num_attention_heads": 32,
    "num_hidden_layers": 36,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 1000000,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_sliding_window": False,
    "vocab_size": 151936,
}
QWEN3_8B_FP8 = QWEN3_8B | {"quantization_config": FP8_BLOCKS}
TINY: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 320,
    "max_position_embeddings": 512,
}


def tensor_names(shape: ModelShape, scale: str | None = None) -> Listed:
    """Every tensor of a Qwen3 or Llama checkpoint by name, written out from published layouts.

    ``scale`` is "block" for Qwen's FP8, "tensor" for ModelOpt's; None for BF16.
    """
    hidden = shape.hidden_size
    found: Listed = {
        "model.embed_tokens.weight": ("BF16", (shape.vocab_size, hidden)),
        "model.norm.weight": ("BF16", (hidden,)),
    }
    if not shape.tie_word_embeddings:
        found["lm_head.weight"] = ("BF16", (shape.vocab_size, hidden))
    for layer in range(shape.num_hidden_layers):
        place = f"model.layers.{layer}"
        found |= _attention(shape, f"{place}.self_attn", scale)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            found[f"{place}.{norm}.weight"] = ("BF16", (hidden,))
        if shape.moe:
            found[f"{place}.mlp.gate.weight"] = ("BF16", (shape.moe.num_experts, hidden))
        for mlp, width in _mlps(shape, place):
            found |= matrix(f"{mlp}.gate_proj", width, hidden, scale)
            found |= matrix(f"{mlp}.up_proj", width, hidden, scale)
            found |= matrix(f"{mlp}.down_proj", hidden, width, scale)
    return found


def _attention(shape: ModelShape, place: str, scale: str | None) -> Listed:
    hidden, head = shape.hidden_size, shape.head_dim
    query, key = shape.num_attention_heads * head, shape.num_key_value_heads * head
    found = matrix(f"{place}.q_proj", query, hidden, scale)
    found |= matrix(f"{place}.k_proj", key, hidden, scale)
    found |= matrix(f"{place}.v_proj", key, hidden, scale)
    found |= matrix(f"{place}.o_proj", hidden, query, scale)
    if scale == "tensor":
        found[f"{place}.k_proj.k_scale"] = ("F32", ())
        found[f"{place}.v_proj.v_scale"] = ("F32", ())
    if shape.qk_norm:
        found[f"{place}.q_norm.weight"] = ("BF16", (head,))
        found[f"{place}.k_norm.weight"] = ("BF16", (head,))
    return found


def _mlps(shape: ModelShape, place: str) -> Iterator[tuple[str, int]]:
    if shape.moe is None:
        yield f"{place}.mlp", shape.intermediate_size
        return
    for expert in range(shape.moe.num_experts):
        yield f"{place}.mlp.experts.{expert}", shape.moe.moe_intermediate_size


def matrix(name: str, rows: int, columns: int, scale: str | None) -> Listed:
    if scale is None:
        return {f"{name}.weight": ("BF16", (rows, columns))}
    found: Listed = {f"{name}.weight": ("F8_E4M3", (rows, columns))}
    if scale == "block":
        found[f"{name}.weight_scale_inv"] = ("BF16", (-(-rows // 128), -(-columns // 128)))
        return found
    return found | {f"{name}.weight_scale": ("F32", ()), f"{name}.input_scale": ("F32", ())}


def tensors(sizes: Sizes) -> tuple[Tensor, ...]:
    return tuple(Tensor(name, dtype, shape) for name, (dtype, shape) in sizes.items())


# ── safetensors ─────────────────────────────────────────────────────────────────────────────


def entries(sizes: Sizes) -> dict[str, Any]:
    """What a safetensors header says of tensors that lie one after the other."""
    found: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    begin = 0
    for tensor in tensors(sizes):
        end = begin + tensor.bytes
        place = [begin, end]
        found[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": place,
        }
        begin = end
    return found


def header(said: Any, length: int | None = None) -> bytes:
    """The beginning of a safetensors file; ``length`` is what it claims, the true one if None."""
    text = said if isinstance(said, bytes) else json.dumps(said).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text


def data_bytes(sizes: Sizes) -> int:
    return sum(tensor.bytes for tensor in tensors(sizes))


def write_safetensors(file: Path, sizes: Sizes) -> None:
    """A file of the right length with a hole where the weights would be."""
    start = header(entries(sizes))
    with file.open("wb") as stream:
        stream.write(start)
        stream.truncate(len(start) + data_bytes(sizes))


def halves(sizes: Sizes) -> dict[str, Sizes]:
    """The tensors in two files, as the Hub names them."""
    every = list(sizes.items())
    middle = len(every) // 2
    return {
        "model-00001-of-00002.safetensors": dict(every[:middle]),
        "model-00002-of-00002.safetensors": dict(every[middle:]),
    }


def index(shards: Mapping[str, Sizes]) -> dict[str, Any]:
    weight_map = {name: file for file, sizes in shards.items() for name in sizes}
    total = sum(data_bytes(sizes) for sizes in shards.values())
    return {"metadata": {"total_size": total}, "weight_map": weight_map}


def write_folder(folder: Path, config: Any, shards: Mapping[str, Sizes] | None = None) -> Path:
    """A Hugging Face folder; an index is written where there is more than one file."""
    folder.mkdir(exist_ok=True)
    text = config if isinstance(config, str) else json.dumps(config)
    (folder / "config.json").write_text(text, encoding="utf-8")
    for name, sizes in (shards or {}).items():
        write_safetensors(folder / name, sizes)
    if shards and len(shards) > 1:
        (folder / "model.safetensors.index.json").write_text(json.dumps(index(shards)))
    return folder


# ── GGUF ────────────────────────────────────────────────────────────────────────────────────

GGML_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 8, "Q4_K": 12, "Q6_K": 14, "BF16": 30}


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def value(given: Any) -> bytes:
    """A metadata value with its kind in front, by Python's type."""
    match given:
        case bool():
            return struct.pack("<I?", 7, given)
        case int():
            return struct.pack("<II", 4, given)
        case float():
            return struct.pack("<If", 6, given)
        case str():
            return struct.pack("<I", 8) + text(given)
        case [str(), *_]:
            return struct.pack("<IIQ", 9, 8, len(given)) + b"".join(map(text, given))
        case [*_]:
            return struct.pack(f"<IIQ{len(given)}I", 9, 4, len(given), *given)
    raise TypeError(given)


def gguf(
    metadata: Mapping[str, Any],
    sizes: Sizes,
    *,
    version: int = 3,
    counts: tuple[int, int] | None = None,
    alignment: int = 32,
) -> tuple[bytes, int]:
    """The header of a GGUF file, and the bytes of the whole file."""
    said = counts or (len(sizes), len(metadata))
    data = b"GGUF" + struct.pack("<IQQ", version, *said)
    data += b"".join(text(key) + value(given) for key, given in metadata.items())
    begin = 0
    for name, (dtype, shape) in sizes.items():
        elements, width = BLOCKS[dtype]
        count = 1
        for size in shape:
            count *= size
        data += text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
        data += struct.pack("<IQ", GGML_TYPES[dtype], begin)
        begin = -(-(begin + count // elements * width) // alignment) * alignment
    data += bytes(-len(data) % alignment)
    return data, len(data) + begin


def write_gguf(file: Path, metadata: Mapping[str, Any], sizes: Sizes) -> Path:
    start, whole = gguf(metadata, sizes)
    with file.open("wb") as stream:
        stream.write(start)
        stream.truncate(whole)
    return file
