"""Plans as `sparkwell plan --json` prints them, with made-up figures."""

from typing import Any

from sparkwell.core.units import GIB

Json = dict[str, Any]
TOTAL = int(119.7 * GIB)


def plan(
    name: str, weights_gib: float, single: float, *, fits: bool = True, kv: int = 147_456
) -> Json:
    """A plan on a machine like a DGX Spark."""
    budget, overhead, weights = int(0.85 * TOTAL), int(4.3 * GIB), int(weights_gib * GIB)
    cache = max(0, min(budget - weights - overhead, 40 * GIB))
    return {
        "model": name,
        "repo": f"Example/{name}",
        "hardware": "dgx-spark",
        "engine": {"name": "vllm", "version": "0.10.1.1", "measured": True, "rules": "read"},
        "flags": {
            "gpu_memory_utilization": 0.85,
            "max_model_len": 32_768,
            "max_num_seqs": 128,
            "enable_prefix_caching": True,
        },
        "fits": fits,
        "basis": "modelled",
        "memory": {
            "total_bytes": TOTAL,
            "budget_bytes": budget,
            "weights_bytes": weights,
            "overhead_bytes": overhead,
            "kv_cache_bytes": cache,
            "kv_bytes_per_token": kv,
            "kv_cache_tokens": cache // kv,
            "max_model_len": 32_768,
            "max_concurrency": round(cache / kv / 32_768, 2),
            "headroom_bytes": budget - weights - overhead - cache,
            "held_bytes": weights + overhead + cache,
            "missing_bytes": 0 if fits else weights + overhead - budget,
        },
        "speed": {
            "single_tokens_per_s": single,
            "ttft_s": 0.1,
            "prompt_tokens": 512,
            "context": 4096,
            "batched": [
                {"concurrency": n, "context": 4096, "tokens_per_s": round(single * n**0.6, 1)}
                for n in (1, 2, 4, 8, 16, 32, 64, 128)
            ],
        },
        "startup": {"cold_s": 133.5, "warm_s": 117.3},
        "problems": []
        if fits
        else [
            {
                "id": "weights",
                "message": f"The weights alone need {weights_gib:.1f} GiB.",
                "remedy": "Take the FP8 checkpoint.",
            }
        ],
        "warnings": [],
    }
