"""vLLM's /metrics, read: how large the KV cache of a running engine is.

One gauge carries the engine's whole cache configuration as labels and is always 1
(``vllm:cache_config_info``, vLLM 0.10 to 0.33). Labels are texts; one that was not set says None.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sparkwell.engines.vllm.log import Facts

_LINE = "vllm:cache_config_info{"
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_WHOLE = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class CacheConfig:
    """The KV cache as the engine describes it; None where its version does not say.

    ``num_gpu_blocks`` counts blocks of ``block_size`` tokens; over several data-parallel engines
    it is the sum of all (vllm/v1/engine/core_client.py). ``kv_cache_size_tokens`` and
    ``kv_cache_max_concurrency``, sequences of the longest context, come with vLLM 0.24.
    ``gpu_memory_utilization`` is a share, 0 to 1.
    """

    num_gpu_blocks: int | None = None
    block_size: int | None = None
    cache_dtype: str | None = None
    gpu_memory_utilization: float | None = None
    kv_cache_size_tokens: int | None = None
    kv_cache_max_concurrency: float | None = None


def read_cache_config(text: str) -> CacheConfig | None:
    """The cache configuration in an answer of /metrics, the first engine's; None without one."""
    line = next((line for line in text.splitlines() if line.startswith(_LINE)), None)
    if line is None:
        return None
    labels = dict(_LABEL.findall(line))
    return CacheConfig(
        num_gpu_blocks=_whole(labels, "num_gpu_blocks"),
        block_size=_whole(labels, "block_size"),
        cache_dtype=labels.get("cache_dtype"),
        gpu_memory_utilization=_number(labels, "gpu_memory_utilization"),
        kv_cache_size_tokens=_whole(labels, "kv_cache_size_tokens"),
        kv_cache_max_concurrency=_number(labels, "kv_cache_max_concurrency"),
    )


def read_metrics(text: str) -> Facts:
    """What /metrics says of a start, as the log's marks say it: blocks, and tokens in each."""
    found = read_cache_config(text)
    if found is None or not found.num_gpu_blocks or not found.block_size:
        return ()
    return (("gpu_blocks", found.num_gpu_blocks), ("block_tokens", found.block_size))


def _number(labels: Mapping[str, str], name: str) -> float | None:
    try:
        return float(labels[name])
    except (KeyError, ValueError):  # not there, or "None"
        return None


def _whole(labels: Mapping[str, str], name: str) -> int | None:
    text = labels.get(name, "")
    return int(text) if _WHOLE.fullmatch(text) else None
