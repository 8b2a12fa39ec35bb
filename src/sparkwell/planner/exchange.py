"""What tensor parallelism spends on exchange."""

from sparkwell.catalog.shape import ModelShape
from sparkwell.hardware.machine import Machine

# Seconds of an all-reduce before its bytes count. Between two Sparks NCCL over RoCE took 19 µs
# (github.com/flash7777/vllm-marlin-sm12x); of two published pairs one was slower than that allows
# (17 tokens/s of a 235B, conselara.dev) and one far slower (al-engr.com). Within a node: assumed.
_BETWEEN_NODES_S = 50e-6
_WITHIN_NODE_S = 10e-6


def exchange_s(
    shape: ModelShape, machine: Machine, devices: int, tokens: int, steps: int = 1
) -> float:
    """Seconds that ``devices`` spend on ``tokens`` in ``steps``: two all-reduces in each layer.

    Each carries the hidden state of every token, 16 bits wide, in a ring. Without a known
    interconnect only the latency counts.
    """
    if devices == 1:
        return 0.0
    latency_s = _BETWEEN_NODES_S if machine.nodes > 1 else _WITHIN_NODE_S
    sent_bytes = 2 * (devices - 1) / devices * tokens * shape.hidden_size * 2
    speed = machine.interconnect_bytes_per_s
    transfer_s = sent_bytes / speed if speed else 0.0
    return 2 * shape.num_hidden_layers * (steps * latency_s + transfer_s)
