"""What the formulas of other tools say of the measured starts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from accuracy.rows import FLAGS_HEAD, Row, flags, largest, percent, table, typical
from fit_overhead import Case
from sparkwell.core.units import GB, GIB

# Too many or too few tokens are those that are this share beside the measured ones.
TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class Peer:
    """Another tool's formula: the bytes that it asks for beside the KV cache."""

    name: str
    formula: str
    where: str
    asks: Callable[[Case], float]


def parameter_bytes(case: Case) -> float:
    """Bytes a parameter in the recipes' own table, by the weights' format."""
    return {16: 2.0, 8: 1.0, 4: 0.5}[case.described.quantization.weight_bits]


PEERS = (
    Peer(
        "GPUStack",
        "int(weights x 1.2) + 2 GiB; the KV cache is not modelled, the fifth stands for all else",
        "gpustack/gpustack/gpustack/policies/utils.py: `estimate_model_vram`",
        lambda case: int(case.described.weights_bytes * 1.2) + 2 * GIB,
    ),
    Peer(
        "sparkrun",
        "the sizes of the safetensors files; it gives the tokens itself, as total x utilization "
        "less these, divided by the bytes of a token",
        "spark-arena/sparkrun/src/sparkrun/models/vram.py: `estimate_vram`",
        lambda case: case.described.weights_bytes,
    ),
    Peer(
        "llmfit",
        "weights + KV cache + 0.5 GB; its weights are parameters x a table of bytes, here the "
        "exact bytes",
        "AlexsJones/llmfit/llmfit-core/src/models.rs: `estimate_memory_gb`",
        lambda case: case.described.weights_bytes + 0.5 * GB,
    ),
    Peer(
        "vLLM's recipes",
        "ceil(parameters x bytes x 1.2) in GB: 2 bytes for 16 bits, 1 for 8, 0.5 for 4; no term "
        "for KV cache or context",
        "vllm-project/recipes/CLAUDE.md: `vram_minimum_gb`",
        lambda case: (
            ceil(case.described.shape.total_parameters * parameter_bytes(case) * 1.2 / GB) * GB
        ),
    ),
)


def implied_error(peer: Peer, row: Row) -> float:
    """The error of the tokens that a formula leaves."""
    left = row.planned.budget - peer.asks(row.case)
    return int(max(0.0, left) / row.planned.kv_per_token) / row.tokens - 1


def formulas() -> str:
    """Which formula, and where it is."""
    return table(
        ("tool", "asks for", "where"), ((peer.name, peer.formula, peer.where) for peer in PEERS)
    )


def peer_summary(found: Sequence[Row]) -> str:
    """Median and largest errors of all tools on the same starts."""
    lists: Mapping[str, list[float]] = {
        "Sparkwell, fitted on all": [row.error for row in found],
        "Sparkwell, model left out": [row.left_out_error for row in found],
    } | {peer.name: [implied_error(peer, row) for row in found] for peer in PEERS}
    return table(
        ("KV tokens", "starts", "median", "largest", "too many", "too few"),
        (
            (
                name,
                str(len(errors)),
                typical(errors),
                largest(errors),
                str(sum(error > TOLERANCE for error in errors)),
                str(sum(error < -TOLERANCE for error in errors)),
            )
            for name, errors in lists.items()
        ),
    )


def peers(found: Sequence[Row]) -> str:
    """Errors of all tools, start by start."""
    head = ("machine", *FLAGS_HEAD, "measured", "Sparkwell", *(peer.name for peer in PEERS))
    return table(
        head,
        (
            (
                row.case.start.session.machine,
                *flags(row),
                f"{row.tokens:,}",
                percent(row.error, 1),
                *(percent(implied_error(peer, row), 1) for peer in PEERS),
            )
            for row in found
        ),
    )
