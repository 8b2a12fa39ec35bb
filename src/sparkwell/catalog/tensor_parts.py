"""The parts of a checkpoint's weights from its real tensors, told apart by their names."""

import re
from collections.abc import Callable, Iterable
from typing import Literal

from sparkwell.catalog.checkpoint import Checkpoint, Tensor
from sparkwell.catalog.packing import SCALE_BYTES, WIDTH
from sparkwell.catalog.recipe import Quantization
from sparkwell.catalog.shape import ModelShape
from sparkwell.catalog.weights import WeightParts, padded, rotary_bytes

Part = Literal["linear", "expert", "scale", "embedding", "head", "router", "norm", "none"]

_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blk)\.(\d+)\.")
_SCALE_ENDINGS = (
    "scale",
    "scale_inv",
    "scale_2",
    "_scales",
    ".scales",
    ".qzeros",
    ".g_idx",
    "zero_point",
    "weight_shape",
    ".absmax",
    ".nested_absmax",
    ".quant_map",
    ".nested_quant_map",
)
_ROUTERS = (
    ".mlp.gate.weight",
    ".block_sparse_moe.gate.weight",
    ".mlp.router.weight",
    ".mlp.router.bias",
    ".mlp.gate.e_score_correction_bias",
    ".shared_expert_gate.weight",
    ".ffn_gate_inp.weight",
)
_EXPERTS = (".experts.", "_exps.")
_EMBEDDINGS = ("embed_tokens.weight", "token_embd.weight")
_HEADS = ("lm_head.", "output.")
# 16-bit in the engine, whatever the file has.
_FLOATS = ("F64", "F32", "F16", "BF16")


def vllm_parts(
    checkpoint: Checkpoint,
    shape: ModelShape,
    quantization: Quantization,
    rotary_positions: int | None = None,
) -> WeightParts:
    """What vLLM holds of these tensors after its own conversions, in bytes.

    Weights that are floating-point numbers become 16-bit, scales of blocks FP32, the vocabulary
    is filled up; a head that the config ties to the embedding is not loaded though the file has
    it, nor are layers beyond num_hidden_layers (those for speculation).
    """
    sums = _sums(
        (part_of(tensor.name, shape), _held(tensor, quantization)) for tensor in checkpoint
    )
    if shape.tie_word_embeddings:
        sums["head"] = 0
    return _parts(sums, rotary_bytes(shape, rotary_positions))


def ggml_parts(checkpoint: Checkpoint, shape: ModelShape) -> WeightParts:
    """What llama.cpp and Ollama hold: each tensor as the GGUF file has it, in bytes."""
    return _parts(_sums((part_of(each.name, shape), each.bytes) for each in checkpoint), 0)


def part_of(name: str, shape: ModelShape) -> Part:
    """To which part a tensor belongs; "none" for what an engine does not load."""
    layer = _LAYER.search(name)
    if layer and int(layer.group(1)[:9]) >= shape.num_hidden_layers:
        return "none"
    return next(part for part, belongs in _RULES if belongs(name))


def _is_rotary(name: str) -> bool:
    return "rotary_emb" in name or name.startswith("rope_freqs")


def _is_head(name: str) -> bool:
    return name.startswith(_HEADS) or ".lm_head." in name


_RULES: tuple[tuple[Part, Callable[[str], bool]], ...] = (
    ("none", _is_rotary),
    ("embedding", lambda name: name.endswith(_EMBEDDINGS)),
    ("router", lambda name: name.endswith(_ROUTERS)),
    ("scale", lambda name: name.endswith(_SCALE_ENDINGS)),
    ("head", _is_head),
    ("norm", lambda name: "norm" in name),
    ("expert", lambda name: any(word in name for word in _EXPERTS)),
    ("linear", lambda _name: True),
)


def _held(tensor: Tensor, quantization: Quantization) -> int:
    """Bytes of one tensor in vLLM."""
    if tensor.name.endswith("scale_inv") or (quantization.block and _is_scale(tensor)):
        return tensor.elements * SCALE_BYTES
    if tensor.name.endswith(_SCALE_ENDINGS):
        return tensor.bytes
    if tensor.dtype not in _FLOATS:
        return tensor.bytes
    if tensor.name.endswith(_EMBEDDINGS) or tensor.name.endswith("lm_head.weight"):
        rows = tensor.shape[0] if tensor.shape else 1
        return padded(rows) * WIDTH * (tensor.elements // max(rows, 1))
    return tensor.elements * WIDTH


def _is_scale(tensor: Tensor) -> bool:
    return tensor.name.endswith("weight_scale") and tensor.elements > 1


def _sums(entries: Iterable[tuple[Part, int]]) -> dict[Part, int]:
    sums: dict[Part, int] = {}
    for part, count in entries:
        sums[part] = sums.get(part, 0) + count
    return sums


def _parts(sums: dict[Part, int], rotary: int) -> WeightParts:
    return WeightParts(
        linear_bytes=sums.get("linear", 0),
        expert_bytes=sums.get("expert", 0),
        scale_bytes=sums.get("scale", 0),
        embedding_bytes=sums.get("embedding", 0),
        head_bytes=sums.get("head", 0),
        router_bytes=sums.get("router", 0),
        norm_bytes=sums.get("norm", 0),
        rotary_bytes=rotary,
    )
