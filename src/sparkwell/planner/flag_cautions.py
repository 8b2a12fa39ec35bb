"""Warnings about flags: what they cost on this machine with this engine version."""

from sparkwell.planner.fit import UTILIZATION, matching_utilization
from sparkwell.planner.ladders import TYPICAL_TOKENS
from sparkwell.planner.memory import is_gb10
from sparkwell.planner.planned import Planned, gib
from sparkwell.planner.trouble import Advice

_USUAL_STEP, _LARGE_STEP = 8192, 16384
UNCOUNTED = (
    "compilation_config",
    "cpu_offload_gb",
    "data_parallel_size",
    "enable_expert_parallel",
    "enable_lora",
    "num_gpu_blocks_override",
    "speculative_config",
)
"""Flags that change memory, and that the planner has no term for."""


def not_counted(p: Planned) -> Advice | None:
    """Flags that change the memory in ways that this plan does not know."""
    names = [name for name in UNCOUNTED if p.flags.get(name) not in (None, False, 0, 1)]
    if not names:
        return None
    return Advice(
        "flags-not-counted",
        f"The plan does not count what {', '.join(names)} does to the memory: take its figures as "
        "those of a start without.",
        "After a first start here, plans with the same flags rest on what it took.",
    )


def page_cache_in_the_way(p: Planned) -> Advice | None:
    """An old engine takes file pages for used memory when it checks its share."""
    free = p.memory.startup_free
    if p.rules.free_memory != "cuda" or not p.machine.unified or free is None:
        return None
    spare = free - p.memory.budget
    if spare < 0 or spare >= p.case.described.weights_bytes:
        return None
    return Advice(
        "page-cache-counts-as-used",
        f"vLLM {p.rules.version} takes file pages for used memory and checks its share at the "
        f"start; {gib(spare)} are spare, so a download or a copy just before can make it refuse.",
        "Then drop them: `sync; echo 3 | sudo tee /proc/sys/vm/drop_caches`.",
    )


def share_above_advised(p: Planned) -> Advice | None:
    """More of the memory than the machine should give."""
    most, given = p.machine.max_utilization, p.settings.kv_cache_memory_bytes
    if most is None or given is not None or p.settings.utilization <= most:
        return None
    return Advice(
        "utilization-high",
        f"A share of {p.settings.utilization:.2f} is more than the {most:.2f} that is advised on "
        f"this machine; {gib(p.memory.total - p.memory.budget)} are left for all else.",
        f"Set {UTILIZATION} to {most:.2f}.",
        {UTILIZATION: most},
    )


def fp8_cache_slow(p: Planned) -> Advice | None:
    """FP8 keys and values where the version has them only with its old engine."""
    slow = is_gb10(p.machine) and p.rules.fp8_kv_on_gb10 is not True
    if not slow or p.settings.cache_type != "fp8":
        return None
    return Advice(
        "fp8-kv-cache-old-engine",
        f"vLLM {p.rules.version} goes back to its old V0 engine for an FP8 KV cache on this GPU.",
        "Set kv_cache_dtype to auto, or take vLLM 0.11.0 or newer.",
        {"kv_cache_dtype": "auto"},
    )


def sleep_mode(p: Planned) -> Advice | None:
    """Sleep mode on a machine where it is not safe."""
    if not p.settings.sleep_mode or p.machine.sleep_mode_safe is not False:
        return None
    return Advice(
        "sleep-mode",
        "Sleep mode frees only the KV cache here, as weights sleep in the same memory, and waking "
        "with a large KV cache has ended the engine or hung the machine.",
        "Leave enable_sleep_mode out; stop the engine instead.",
        {"enable_sleep_mode": False},
    )


def bytes_without_share(p: Planned) -> Advice | None:
    """A KV cache in bytes does not lift the check of the share, which has its own default."""
    if p.settings.kv_cache_memory_bytes is None or UTILIZATION in p.flags:
        return None
    wanted = p.memory.total * p.settings.utilization
    share = matching_utilization(p.case, p.flags)
    return Advice(
        "kv-bytes-without-share",
        f"The start-up check goes by the share all the same, {p.settings.utilization:.2f} unless "
        f"it is set: {gib(wanted)} must be free, though {gib(p.memory.budget)} are needed.",
        f"Set {UTILIZATION} to {share:.2f} beside kv_cache_memory_bytes.",
        {UTILIZATION: share},
    )


def large_steps(p: Planned) -> Advice | None:
    """Steps whose memory the machine can hardly spare."""
    tokens = p.settings.max_num_batched_tokens
    if not p.machine.unified or tokens < _LARGE_STEP:
        return None
    usual = {"max_num_batched_tokens": _USUAL_STEP}
    _, less = p.case.plan({**p.flags, **usual})
    return Advice(
        "batched-tokens-large",
        f"Steps of {tokens:,} tokens cost {gib(p.memory.overhead - less.overhead)} more than "
        f"steps of {_USUAL_STEP:,}; their peak at the start has frozen machines like this one.",
        f"Set max_num_batched_tokens to {_USUAL_STEP}.",
        dict(usual),
    )


def more_sequences_than_cache(p: Planned) -> Advice | None:
    """More requests than the cache holds at a typical length; at full length it is the rule."""
    length = min(TYPICAL_TOKENS, p.settings.max_model_len)
    held = p.memory.kv_tokens // max(1, length)
    if p.settings.max_num_seqs <= held or p.memory.max_concurrency < 1:
        return None
    return Advice(
        "sequences-exceed-cache",
        f"max_num_seqs is {p.settings.max_num_seqs}, and the KV cache holds {held} sequences of "
        f"{length:,} tokens ({p.memory.max_concurrency:.1f} of {p.settings.max_model_len:,}): when "
        "it is full, the youngest requests are set back and computed again.",
        f"Set max_num_seqs to {max(1, held)}, or leave it where requests are short.",
        {"max_num_seqs": max(1, held)},
    )


def unchunked(p: Planned) -> Advice | None:
    """Steps that a whole prompt does not fit into."""
    tokens, context = p.settings.max_num_batched_tokens, p.settings.max_model_len
    if p.flags.get("enable_chunked_prefill") is not False or tokens >= context:
        return None
    return Advice(
        "chunked-prefill-off",
        f"Without chunked prefill a step must take a whole prompt: {context:,} tokens, not "
        f"{tokens:,}.",
        "Leave enable_chunked_prefill on.",
        {"enable_chunked_prefill": True},
    )
