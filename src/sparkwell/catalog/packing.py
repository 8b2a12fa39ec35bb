"""What one matrix takes in a checkpoint, by its method of quantization."""

from dataclasses import dataclass
from math import ceil
from typing import Literal

from sparkwell.catalog.recipe import Quantization
from sparkwell.core.errors import UsageError

SCALE_BYTES = 4  # FP32: what vLLM holds for a block or a tensor
WIDTH = 2  # bytes of BF16 and FP16

Module = Literal["self_attn", "mlp", "mlp.experts", "mlp.shared_experts"]


class CannotCountError(UsageError):
    """The bytes of such weights do not follow from sizes; only the files know them."""

    code = "cannot_count_weights"
    http_status = 422


@dataclass(frozen=True, slots=True)
class Linear:
    """``count`` equal matrices of ``rows`` outputs and ``columns`` inputs, of one module."""

    module: Module
    rows: int
    columns: int
    count: int


@dataclass(frozen=True, slots=True)
class Packed:
    """Bytes of one matrix and of its scales, zero points and the like."""

    weight_bytes: int
    scale_bytes: int = 0


def packed(linear: Linear, how: Quantization) -> Packed:
    """One matrix as the checkpoint stores it; raises CannotCountError."""
    rows, columns = linear.rows, linear.columns
    size, scale = rows * columns, _per_output(how)
    if linear.module in how.unquantized:
        return Packed(WIDTH * size)
    match how.method:
        case "none":
            return Packed(WIDTH * size)
        case "fp8" | "modelopt":
            return Packed(size, _fp8_scales(rows, columns, how))
        case "compressed-tensors" if how.weight_bits == 8 and not how.group_size:
            return Packed(size, WIDTH * rows if scale else _fp8_scales(rows, columns, how))
        case "awq" | "gptq" | "compressed-tensors" | "nvfp4" | "mxfp4":
            return Packed(size * how.weight_bits // 8, _group_scales(rows, columns, how))
    raise CannotCountError(
        f"What weights in {how.method} take cannot be computed from the model's sizes.",
        hint="Plan from the checkpoint's files: their headers say it exactly.",
    )


def _per_output(how: Quantization) -> bool:
    return how.per_channel and how.block is None


def _fp8_scales(rows: int, columns: int, how: Quantization) -> int:
    """Scales as Qwen, ModelOpt and llm-compressor write them: BF16 for blocks, FP32 for one."""
    if how.block:
        high, wide = how.block
        return WIDTH * ceil(rows / high) * ceil(columns / wide)
    weight = SCALE_BYTES * (rows if how.per_channel else 1)
    return weight + (SCALE_BYTES if how.activation == "static" else 0)


def _group_scales(rows: int, columns: int, how: Quantization) -> int:
    """Scales, zero points and what else stands beside packed 4-bit (2 to 8 bit) weights."""
    groups = ceil(columns / how.group_size) if how.group_size else 1
    zeros = groups * ceil(rows * how.weight_bits / 8)
    match how.method:
        case "awq":
            return groups * WIDTH * rows + zeros
        case "gptq":
            return groups * WIDTH * rows + zeros + 4 * columns  # g_idx: an int32 for each input
        case "nvfp4":
            return groups * rows + 2 * SCALE_BYTES  # FP8 for 16 weights, FP32 for the tensor
        case "mxfp4":
            return groups * rows
        case _:
            return groups * WIDTH * rows + 2 * 8  # weight_shape: two int64
