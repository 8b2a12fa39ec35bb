"""No memory remains for the KV cache once the weights are there."""

import re
from collections.abc import Iterator
from dataclasses import replace
from math import floor

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.memory.words import NUMBER, WHO, named, page_cache_too
from sparkwell.checks.logs.find import Found, find, find_last, logs, name_of, quoted
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_NONE = re.compile(
    r"(?<![\"'])No available memory for the cache blocks"
    r"|Cannot auto-fit max_model_len: not enough GPU memory"
)
_AVAILABLE = re.compile(r"Available KV cache memory: -?\d")
_CPU = re.compile(
    rf"Available memory on node \d+ \((?P<free>{NUMBER})/{NUMBER} GiB\) on kv cache\s+allocation "
    rf"is less than requested memory for kv \(-?{NUMBER}(?P<share>/{NUMBER})? GiB\)"
)

ABOUT = About(
    id="kv-cache-none",
    title="No memory remains for the KV cache",
    severity=Severity.ERROR,
    symptoms=(
        "ValueError: No available memory for the cache blocks.",
        ("ValueError: Cannot auto-fit max_model_len: not enough GPU memory available to serve even "
        "a single token."),
        ("The CPU build: Available memory on node 0 (...) on kv cache allocation is less than "
        "requested memory for kv (...)."),
    ),
    cause="The engine may use total x gpu_memory_utilization. Weights, activations and CUDA graphs "
    "take all of that, and the KV cache gets what is left.",
    remedies=(
        Remedy("See where the memory goes, and which share would do.",
               "sparkwell plan MODEL --explain"),
        Remedy("Batch fewer tokens: activations are sized by them.",
               "sparkwell up MODEL --set max_num_batched_tokens=2048"),
        Remedy("Or take a model whose weights are smaller.", "sparkwell recommend --need latency"),
    ),
    reference="vllm/v1/core/kv_cache_utils.py, 0.10 to 0.33; vllm/v1/worker/cpu_worker.py, 0.32",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log that ended so."""
    for log in logs(snapshot):
        if found := find(log, _NONE):
            available = find_last(log, _AVAILABLE)
            lines = (available.line, found.line) if available else (found.line,)
            said = ABOUT.finding(*quoted(log, *lines), about=name_of(log), model=log.model)
            yield replace(said, remedies=(*page_cache_too(snapshot, log), *said.remedies))
        elif found := find(log, _CPU):
            yield _on_cpu(log, found)


def _on_cpu(log: LogDigest, found: Found) -> Finding:
    """The CPU build takes a KV cache of a given size, or what its share leaves."""
    said = ABOUT.finding(*quoted(log, found.line), about=name_of(log), model=log.model)
    if found["share"]:
        return replace(said, remedies=(WHO, *ABOUT.finding(model=log.model).remedies[:1]))
    fits = floor(float(found["free"]))
    smaller = Remedy(
        f"Ask for at most {fits} GiB: so much was available.",
        f"VLLM_CPU_KVCACHE_SPACE={fits} vllm serve {named(log)}",
    )
    return replace(
        said,
        cause="A KV cache of this size was asked for (VLLM_CPU_KVCACHE_SPACE, or "
        "--kv-cache-memory-bytes), and less memory is available.",
        remedies=(*([smaller] if fits else []), WHO),
    )


CHECK = Check(ABOUT.id, "Does memory remain for the KV cache?", look, ABOUT)
