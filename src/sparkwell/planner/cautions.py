"""What to know of a plan, whether it fits or not: each warning with what to do about it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from sparkwell.catalog.families import FAMILIES
from sparkwell.core.units import GIB
from sparkwell.hardware.machine import Machine
from sparkwell.planner.engine_rules import EngineRules
from sparkwell.planner.fit import UTILIZATION, Case, Flags, matching_utilization
from sparkwell.planner.ladders import TYPICAL_TOKENS
from sparkwell.planner.memory import Memory, is_gb10
from sparkwell.planner.online import in_format, loading_peak_bytes, quantizes_while_loading
from sparkwell.planner.remedies import Advice
from sparkwell.planner.settings import Settings
from sparkwell.planner.yarn import PRICE, scales_rope

if TYPE_CHECKING:
    from sparkwell.planner.plan import Question

_USUAL_STEP, _LARGE_STEP = 8192, 16384
# Qwen3's config.json adds a quarter to the window for the answer; more was not trained for.
_ROOM_FOR_ANSWERS = 1.25


class _Planned(NamedTuple):
    case: Case
    flags: Flags
    siblings: Mapping[str, str]
    settings: Settings
    memory: Memory

    @property
    def machine(self) -> Machine:
        return self.case.machine

    @property
    def rules(self) -> EngineRules:
        return self.case.rules


def warnings(question: "Question", settings: Settings, memory: Memory) -> tuple[Advice, ...]:
    """Warnings about a plan, in the order of their weight; a CPU has none of these troubles."""
    q = question
    if q.machine.device == "cpu":
        return ()
    case = Case(q.described, q.machine, q.rules, q.beside_bytes, q.calibration, q.flags)
    planned = _Planned(case, q.flags, q.siblings, settings, memory)
    return tuple(advice for check in _CHECKS if (advice := check(planned)))


def _share_above_advised(p: _Planned) -> Advice | None:
    most, given = p.machine.max_utilization, p.settings.kv_cache_memory_bytes
    if most is None or given is not None or p.settings.utilization <= most:
        return None
    return Advice(
        "utilization-high",
        f"A share of {p.settings.utilization:.2f} is more than the {most:.2f} that is advised on "
        f"this machine; {_gib(p.memory.total - p.memory.budget)} are left for all else.",
        f"Set {UTILIZATION} to {most:.2f}.",
        {UTILIZATION: most},
    )


def _fp8_cache_slow(p: _Planned) -> Advice | None:
    slow = is_gb10(p.machine) and p.rules.fp8_kv_on_gb10 is not True
    if not slow or p.settings.cache_type != "fp8":
        return None
    return Advice(
        "fp8-kv-cache-old-engine",
        f"vLLM {p.rules.version} goes back to its old V0 engine for an FP8 KV cache on this GPU.",
        "Set kv_cache_dtype to auto, or take vLLM 0.11.0 or newer.",
        {"kv_cache_dtype": "auto"},
    )


def _sleep_mode(p: _Planned) -> Advice | None:
    if not p.settings.sleep_mode or p.machine.sleep_mode_safe is not False:
        return None
    return Advice(
        "sleep-mode",
        "Sleep mode frees only the KV cache here, as weights sleep in the same memory, and waking "
        "with a large KV cache has ended the engine or hung the machine.",
        "Leave enable_sleep_mode out; stop the engine instead.",
        {"enable_sleep_mode": False},
    )


def _bytes_without_share(p: _Planned) -> Advice | None:
    """A KV cache in bytes does not lift the check of the share, which has its own default."""
    if p.settings.kv_cache_memory_bytes is None or p.memory.startup_free is None:
        return None
    wanted = p.memory.total * p.settings.utilization
    if wanted <= p.memory.startup_free:
        return None
    share = matching_utilization(p.case, p.flags)
    return Advice(
        "kv-bytes-without-share",
        f"The start-up check still wants {p.settings.utilization:.2f} of the memory free, "
        f"{_gib(wanted)}; {_gib(p.memory.startup_free)} are.",
        f"Set {UTILIZATION} to {share:.2f} beside kv_cache_memory_bytes.",
        {UTILIZATION: share},
    )


def _remote_code(p: _Planned) -> Advice | None:
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


def _large_steps(p: _Planned) -> Advice | None:
    tokens = p.settings.max_num_batched_tokens
    if not p.machine.unified or tokens < _LARGE_STEP:
        return None
    usual = {"max_num_batched_tokens": _USUAL_STEP}
    _, less = p.case.plan({**p.flags, **usual})
    return Advice(
        "batched-tokens-large",
        f"Steps of {tokens:,} tokens cost {_gib(p.memory.overhead - less.overhead)} more than "
        f"steps of {_USUAL_STEP:,}; their peak at the start has frozen machines like this one.",
        f"Set max_num_batched_tokens to {_USUAL_STEP}.",
        dict(usual),
    )


def _more_sequences_than_cache(p: _Planned) -> Advice | None:
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


def _declared_cache(p: _Planned) -> Advice | None:
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


def _quantized_while_loading(p: _Planned) -> Advice | None:
    peak = loading_peak_bytes(p.case.described, p.flags)
    if peak is None or not quantizes_while_loading(p.case.described, p.flags):
        return None
    ready = p.siblings.get("fp8")
    size = in_format(p.case.described, "fp8")
    less = f", {_gib(size.parts.total)} and a shorter download" if size else ""
    return Advice(
        "quantized-while-loading",
        f"quantization=fp8 reads the 16-bit weights at every start: {_gib(peak)} at the peak up to "
        "vLLM 0.15.1, which takes them all first; from 0.16.0 on a layer at a time.",
        f"Take {ready}, which is quantized already{less}."
        if ready
        else "Take a repository that is quantized already, where there is one.",
    )


def _beyond_window(p: _Planned) -> Advice | None:
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


def _scaled(p: _Planned) -> Advice | None:
    if not scales_rope(p.flags):
        return None
    one = p.settings.max_model_len * p.memory.kv_per_token
    native = p.case.described.shape.native_context
    return Advice(
        "rope-scaling",
        f"{PRICE} One sequence of {p.settings.max_model_len:,} tokens takes {_gib(one)} of KV "
        f"cache; the model's own window is {native:,}.",
        "Leave the scaling out where prompts stay within the window.",
    )


def _unchunked(p: _Planned) -> Advice | None:
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


def _gib(count: float) -> str:
    return f"{count / GIB:.1f} GiB"


_CHECKS: tuple[Callable[[_Planned], Advice | None], ...] = (
    _share_above_advised,
    _bytes_without_share,
    _fp8_cache_slow,
    _sleep_mode,
    _quantized_while_loading,
    _unchunked,
    _large_steps,
    _beyond_window,
    _scaled,
    _declared_cache,
    _more_sequences_than_cache,
    _remote_code,
)
