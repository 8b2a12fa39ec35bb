"""Overlays for tests: one that is right, with some of its fields changed."""

from typing import Any

from sparkwell.catalog.tuned import Tuned

SPARK_BYTES = 128 * 2**30


def overlay(**changes: Any) -> Tuned:
    """Throughput of qwen3-8b-fp8 on a DGX Spark with vLLM 0.25.0."""
    rows = [
        {
            "workload": "512 in, 256 out, 256 clients",
            "tuned_on": True,
            "figure": "output_tokens_per_s",
            "before": 1210.0,
            "after": 1525.0,
            "ratio": 1.26,
            "low": 1.21,
            "high": 1.31,
        },
        {
            "workload": "4,096 in, 64 out, 32 clients",
            "tuned_on": False,
            "figure": "ttft_p95_s",
            "before": 2.5,
            "after": 2.25,
            "ratio": 0.9,
        },
    ]
    evidence = {
        "date": "2026-11-22",
        "command": "sparkwell tune qwen3-8b-fp8 --goal throughput",
        "trials": 24,
        "sparkwell": "0.1.0",
        "rows": rows,
        "notes": ["Measured with the machine to itself."],
    }
    usual = {
        "recipe": "qwen3-8b-fp8",
        "goal": "throughput",
        "machine": "dgx-spark",
        "title": "NVIDIA DGX Spark",
        "version": "0.25.0",
        "flags": {"max_num_seqs": 192, "max_model_len": 8192, "gpu_memory_utilization": 0.5},
        "before": {"max_num_seqs": 64},
        "evidence": evidence,
    }
    return Tuned.model_validate({**usual, **changes})
