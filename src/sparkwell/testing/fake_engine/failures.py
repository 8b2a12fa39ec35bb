"""vLLM's last words: known messages by name, and the tracebacks around them."""

from sparkwell.core.phases import Phase

KNOWN = {
    "memory-refused": (
        "ValueError: Free memory on device cuda:0 (14.52/79.18 GiB) on startup is less than "
        "desired GPU memory utilization (0.85, 67.3 GiB). Decrease GPU memory utilization or "
        "reduce GPU memory used by other processes."
    ),
    "cuda-oom": (
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.32 GiB. GPU 0 has a "
        "total capacity of 79.18 GiB of which 1.71 GiB is free."
    ),
    "no-cache-blocks": (
        "ValueError: No available memory for the cache blocks. Try increasing "
        "`gpu_memory_utilization` when initializing the engine."
    ),
    "context-too-long": (
        "ValueError: To serve at least one request with the model's max seq len (131072), "
        "(18.0 GiB KV cache is needed, which is larger than the available KV cache memory "
        "(8.25 GiB). Based on the available memory, the estimated maximum model length is 60064. "
        "Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing "
        "the engine."
    ),
    "torchvision": "RuntimeError: operator torchvision::nms does not exist",
}
_USUAL = {
    Phase.LAUNCH: "torchvision",
    Phase.INIT: "memory-refused",
    Phase.WEIGHTS: "cuda-oom",
    Phase.PROFILE: "no-cache-blocks",
}
_UNKNOWN = "RuntimeError: the fake engine was told to fail here"
CORE_FAILED = (
    "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"
)
CORE_DIED = (
    "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. "
    "See stack trace (above) for the root cause."
)


def message(phase: Phase, wanted: str | None) -> str:
    """Find the traceback's last line: a known message, the text itself, the phase's usual."""
    name = wanted or _USUAL.get(phase, "")
    return KNOWN.get(name, wanted or _UNKNOWN)


def traceback(last_line: str, function: str = "run_engine_core") -> list[str]:
    """Write a traceback as Python prints it, short of most frames."""
    return [
        "Traceback (most recent call last):",
        f'  File "/site-packages/vllm/v1/engine/core.py", line 1200, in {function}',
        "    engine_core = EngineCoreProc(*args, engine_index=dp_rank, **kwargs)",
        last_line,
    ]
