"""Warnings about a model: its weights, its window, and what its checkpoint declares."""

from sparkwell.catalog.families import FAMILIES
from sparkwell.planner.online import in_format, loading_peak_bytes
from sparkwell.planner.planned import Planned, gib
from sparkwell.planner.trouble import Advice
from sparkwell.planner.yarn import PRICE, scales_rope

# Qwen3's config.json adds a quarter to the window for the answer; more was not trained for.
_ROOM_FOR_ANSWERS = 1.25


def remote_code(p: Planned) -> Advice | None:
    """Code from the repository, for a model that the engine knows."""
    shape = p.case.described.shape
    native = {family.hf_class for family in FAMILIES.values()}
    if p.flags.get("trust_remote_code") is not True or shape.hf_class not in native:
        return None
    return Advice(
        "trust-remote-code",
        f"vLLM knows {shape.hf_class} itself; with trust_remote_code whoever can change the "
        "repository can run code here.",
        "Leave trust_remote_code out.",
        {"trust_remote_code": False},
    )


def declared_cache(p: Planned) -> Advice | None:
    """A checkpoint that declares an FP8 KV cache, and a flag that leaves it to the version."""
    declared = p.case.described.quantization.kv_cache_dtype
    if declared is None or p.flags.get("kv_cache_dtype", "auto") != "auto":
        return None
    follows = p.rules.auto_kv_follows_checkpoint
    found = "obeys: 8 bits" if follows else "does not heed: 16 bits, and half the tokens"
    return Advice(
        "kv-cache-declared",
        f"The checkpoint asks for an FP8 KV cache, which vLLM {p.rules.version} with "
        f"kv_cache_dtype auto {found}. From 0.14.1 on auto obeys.",
        "Say kv_cache_dtype=fp8, so that the version does not matter."
        if follows
        else "Nothing to do; a newer version holds twice the tokens.",
        {"kv_cache_dtype": "fp8"} if follows else {},
    )


def quantized_while_loading(p: Planned) -> Advice | None:
    """16-bit weights that are quantized at every start."""
    peak = loading_peak_bytes(p.case.described, p.flags)
    if peak is None:
        return None
    ready = p.siblings.get("fp8")
    size = in_format(p.case.described, "fp8")
    less = f", {gib(size.parts.total)} and a shorter download" if size else ""
    return Advice(
        "quantized-while-loading",
        f"quantization=fp8 reads the 16-bit weights at every start: {gib(peak)} at the peak up to "
        "vLLM 0.15.1, which takes them all first; from 0.16.0 on a layer at a time.",
        f"Take {ready}, which is quantized already{less}."
        if ready
        else "Take a repository that is quantized already, where there is one.",
    )


def beyond_window(p: Planned) -> Advice | None:
    """A context that config.json allows and training does not bear out."""
    native = p.case.described.shape.native_context
    context = p.settings.max_model_len
    if context <= _ROOM_FOR_ANSWERS * native or scales_rope(p.flags):
        return None
    return Advice(
        "context-beyond-window",
        f"The model was trained for {native:,} tokens; vLLM accepts {context:,}, as config.json "
        "names more, but answers beyond the window are not to be relied on.",
        f"Set max_model_len to {native}.",
        {"max_model_len": native},
    )


def scaled(p: Planned) -> Advice | None:
    """The price of rope scaling."""
    if not scales_rope(p.flags):
        return None
    one = p.settings.max_model_len * p.memory.kv_per_token
    native = p.case.described.shape.native_context
    return Advice(
        "rope-scaling",
        f"{PRICE} One sequence of {p.settings.max_model_len:,} tokens takes {gib(one)} of KV "
        f"cache; the model's own window is {native:,}.",
        "Leave the scaling out where prompts stay within the window.",
    )
