"""What an engine holds for the weights on one device, its allocator's rounding included."""

from sparkwell.catalog.described import Described
from sparkwell.catalog.packing import CannotCountError, Linear, packed
from sparkwell.planner.overhead import DEFAULT, Coefficients
from sparkwell.planner.settings import Settings

MIB = 1024 * 1024
# PyTorch's workspace for cuBLAS, taken while weights load (H100 and H200, vLLM 0.25.0).
WORKSPACE_BYTES = 32 * MIB
# Blocks above 20 MiB are not split while loading: PyTorch rounds them up to whole 2 MiB.
_WHOLE_BYTES = 20 * MIB
_STEP_BYTES = 2 * MIB


def held_bytes(
    described: Described, settings: Settings, coefficients: Coefficients = DEFAULT
) -> int:
    """Bytes on one device: the parts, shared out, with what the allocator adds.

    Tensor parallelism divides the matrices and the vocabulary, pipeline parallelism the layers.
    """
    parts = described.parts
    shared = (
        parts.linear_bytes
        + parts.expert_bytes
        + parts.scale_bytes
        + parts.embedding_bytes
        + parts.head_bytes
    )
    whole = parts.router_bytes + parts.norm_bytes
    by_layers = (shared / settings.tensor_parallel + whole) / settings.pipeline_parallel
    added = allocator_bytes(described, settings, coefficients)
    return round(by_layers + parts.rotary_bytes + added)


def allocator_bytes(
    described: Described, settings: Settings, coefficients: Coefficients = DEFAULT
) -> int:
    """What the allocator and the kernels' own layout add; only the workspace where unknown."""
    try:
        rounded = sum(_rounding(each, described, settings) for each in _fused(described))
    except CannotCountError:
        rounded = 0
    marlin = described.quantization.method in ("awq", "gptq")
    repacked = coefficients.marlin_weight * described.shape.linear_parameters if marlin else 0
    rounding = rounded // settings.pipeline_parallel
    return WORKSPACE_BYTES + rounding + round(repacked / settings.gpus)


def _fused(described: Described) -> list[Linear]:
    """The matrices as the engine joins them: q, k and v; gate and up; all experts of a layer."""
    shape = described.shape
    layers, hidden = shape.num_hidden_layers, shape.hidden_size
    heads = shape.query_size + 2 * shape.key_value_size
    joined = [Linear("self_attn", heads, hidden, layers)]
    joined.append(Linear("self_attn", hidden, shape.query_size, layers))
    width = shape.intermediate_size
    joined.append(Linear("mlp", 2 * width, hidden, shape.dense_layers))
    joined.append(Linear("mlp", hidden, width, shape.dense_layers))
    return [each for each in joined if each.count]


def _rounding(linear: Linear, described: Described, settings: Settings) -> int:
    size = packed(linear, described.quantization).weight_bytes // settings.tensor_parallel
    if size <= _WHOLE_BYTES:
        return 0
    return linear.count * (-size % _STEP_BYTES)
