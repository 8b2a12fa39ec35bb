"""Memory: of the GPU, of the host, of the KV cache; in the order in which they are heard."""

from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.memory import (
    cuda_oom,
    host_low,
    kv_cache_none,
    kv_cache_too_small,
    max_model_len,
    ollama_context,
    ollama_gpu,
    orphan,
    page_cache,
    profiling_disturbed,
    shm,
    startup_check,
)

CHECKS: tuple[Check, ...] = (
    orphan.CHECK,
    startup_check.CHECK,
    page_cache.CHECK,
    profiling_disturbed.CHECK,
    max_model_len.CHECK,
    kv_cache_none.CHECK,
    kv_cache_too_small.CHECK,
    cuda_oom.CHECK,
    host_low.CHECK,
    shm.CHECK,
    ollama_context.CHECK,
    ollama_gpu.CHECK,
)
