"""What the weights take: in the checkpoint's files, and in the engine that has loaded them.

Counted from sizes alone, tensor by tensor. What vLLM holds differs from the files: scales of
blocks become FP32, the vocabulary is filled up to a multiple of 64, a tied output head is none,
and a table of rotary positions comes along (vLLM 0.25, source).
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from math import ceil

from sparkwell.catalog.packing import SCALE_BYTES, WIDTH, Linear, Module, packed
from sparkwell.catalog.recipe import Quantization
from sparkwell.catalog.shape import ModelShape

VOCABULARY_STEP = 64


@dataclass(frozen=True, slots=True)
class WeightParts:
    """Bytes that an engine holds for the weights, by what reads them.

    One token reads all of ``linear_bytes`` (projections, dense MLPs and shared experts, with
    biases), of ``expert_bytes`` its experts' share, and the head; of the embedding one row, but
    all of it where ``head_bytes`` is 0, since a tied embedding is the head too.
    ``rotary_bytes`` is the table of rotary positions, which the engine makes itself.
    """

    linear_bytes: int
    expert_bytes: int
    scale_bytes: int
    embedding_bytes: int
    head_bytes: int
    router_bytes: int
    norm_bytes: int
    rotary_bytes: int = 0

    @property
    def total(self) -> int:
        """All of them, in bytes."""
        return sum(getattr(self, field.name) for field in fields(self))


def linears(shape: ModelShape) -> Iterator[Linear]:
    """All matrices that quantization may shrink."""
    hidden, layers = shape.hidden_size, shape.num_hidden_layers
    yield Linear("self_attn", shape.query_size, hidden, layers)
    yield Linear("self_attn", shape.key_value_size, hidden, 2 * layers)
    yield Linear("self_attn", hidden, shape.query_size, layers)
    yield from _mlp("mlp", hidden, shape.intermediate_size, shape.dense_layers)
    if shape.moe:
        moe, sparse = shape.moe, shape.expert_layers
        yield from _mlp("mlp.experts", hidden, moe.moe_intermediate_size, sparse * moe.num_experts)
        shared = moe.shared_expert_intermediate_size
        yield from _mlp("mlp.shared_experts", hidden, shared or 0, sparse if shared else 0)


def _mlp(module: Module, hidden: int, width: int, count: int) -> Iterator[Linear]:
    if count:
        yield Linear(module, width, hidden, 2 * count)  # gate and up
        yield Linear(module, hidden, width, count)


def checkpoint_bytes(shape: ModelShape, quantization: Quantization) -> int:
    """The sum of a checkpoint's tensors in bytes, file headers not counted.

    Raises CannotCountError for a method whose bytes do not follow from sizes.
    """
    every = [(linear, packed(linear, quantization)) for linear in linears(shape)]
    matrices = sum(linear.count * (each.weight_bytes + each.scale_bytes) for linear, each in every)
    others = shape.total_parameters - shape.linear_parameters
    return matrices + WIDTH * others + _cache_scales(shape, quantization)


def resident_parts(
    shape: ModelShape, quantization: Quantization, rotary_positions: int | None = None
) -> WeightParts:
    """What vLLM holds after loading, by parts.

    ``rotary_positions`` is the length of the rotary table, the model's longest position where it
    is None. Raises CannotCountError.
    """
    every = [(linear, packed(linear, quantization)) for linear in linears(shape)]
    sums = {"weights": 0, "experts": 0, "scales": _cache_scales(shape, quantization)}
    for linear, each in every:
        kind = "experts" if linear.module == "mlp.experts" else "weights"
        sums[kind] += linear.count * each.weight_bytes
        sums["scales"] += linear.count * _held(each.scale_bytes, quantization)
    vocabulary = WIDTH * padded(shape.vocab_size) * shape.hidden_size
    return WeightParts(
        linear_bytes=sums["weights"] + WIDTH * shape.num_hidden_layers * shape.bias_parameters,
        expert_bytes=sums["experts"],
        scale_bytes=sums["scales"],
        embedding_bytes=vocabulary,
        head_bytes=0 if shape.tie_word_embeddings else vocabulary,
        router_bytes=WIDTH * shape.expert_layers * shape.router_parameters,
        norm_bytes=WIDTH * shape.norm_parameters,
        rotary_bytes=rotary_bytes(shape, rotary_positions),
    )


def rotary_bytes(shape: ModelShape, positions: int | None = None) -> int:
    """Bytes of vLLM's table of cosines and sines: one for all layers, in the model's 16 bits.

    ``positions`` are tokens, max_position_embeddings where None. An upper limit for models that
    turn only a part of each head.
    """
    return (positions or shape.max_position_embeddings) * shape.head_dim * WIDTH


def padded(rows: int) -> int:
    """Rows of a vocabulary tensor as vLLM holds it."""
    return ceil(rows / VOCABULARY_STEP) * VOCABULARY_STEP


def _held(scale_bytes: int, how: Quantization) -> int:
    """Bytes in the engine of scales that have ``scale_bytes`` in the files."""
    return scale_bytes * SCALE_BYTES // WIDTH if how.block else scale_bytes


def _cache_scales(shape: ModelShape, how: Quantization) -> int:
    """k_scale and v_scale, FP32, one each for a layer."""
    declared = how.kv_cache_dtype == "fp8" or how.method == "modelopt"
    return shape.num_hidden_layers * 2 * SCALE_BYTES if declared else 0
