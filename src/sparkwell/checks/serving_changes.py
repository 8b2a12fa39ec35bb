"""Which flags a finding would change, and what the plan says that it would give."""

from collections.abc import Mapping

from sparkwell.catalog.recipe import FlagValue
from sparkwell.checks.say import gib
from sparkwell.checks.serving_parts import PlanChange, Planned, Serving
from sparkwell.core.findings import Remedy

MORE_SEQUENCES, FEWER_SEQUENCES = "more-sequences", "fewer-sequences"
LARGER_SHARE, SHORTER_CONTEXT = "larger-share", "shorter-context"
FP8_CACHE, PREFIX_CACHING, LARGER_BATCH = "fp8-cache", "prefix-caching", "larger-batch"

_LARGEST_SHARE = 0.90  # the guides warn of more
_LARGEST_BATCH = 32_768  # the most that a guide names
_SHORTEST_CONTEXT = 4096
_NOTICEABLE = 0.02
Change = Mapping[str, FlagValue]


def changes(serving: Serving) -> dict[str, Change]:
    """The changes that may help this start, by name: flags to plan with, beside those in force.

    Only where the flag's value is known, and there is somewhere to go. None for other engines.
    """
    if serving.engine != "vllm":
        return {}
    tried = (
        (MORE_SEQUENCES, _more_sequences(serving)),
        (FEWER_SEQUENCES, _fewer_sequences(serving)),
        (LARGER_SHARE, _larger_share(serving)),
        (SHORTER_CONTEXT, _shorter_context(serving)),
        (FP8_CACHE, _fp8_cache(serving)),
        (PREFIX_CACHING, _prefix_caching(serving)),
        (LARGER_BATCH, _larger_batch(serving)),
    )
    return {name: change for name, change in tried if change}


def remedy(serving: Serving, name: str, text: str) -> tuple[Remedy, ...]:
    """One change as a remedy: flag, what the plan says, the command. Nothing if it does not fit.

    ``text`` is a sentence; the flag's old and new value, and the plan's figures, come after it.
    """
    change = changes(serving).get(name)
    planned = serving.what_if.get(name)
    if change is None or (planned is not None and not planned.fits):
        return ()
    moves = ", ".join(f"{_option(flag)} {_value(serving, flag, to)}" for flag, to in change.items())
    said = f"{text} {moves}. {effect(serving.planned, planned)}"
    sets = " ".join(f"--set {flag}={_text(to)}" for flag, to in change.items())
    command = f"sparkwell down {serving.model} && sparkwell up {serving.model} {sets}"
    return (Remedy(said, command),)


def effect(now: Planned, change: PlanChange | None) -> str:
    """What the plan says that a change gives: the figures that differ, before and after."""
    if change is None:
        return "The plan could not say what that gives."
    then = change.planned
    moved = [
        *_moved("KV cache", now.kv_cache_tokens, then.kv_cache_tokens, "{:,.0f} tokens"),
        *_moved("longest requests", now.max_concurrency, then.max_concurrency, "{:.1f} at once"),
        *_moved("one request", now.single_tokens_per_s, then.single_tokens_per_s, "{:.1f} tok/s"),
        *_moved("all together", now.tokens_per_s, then.tokens_per_s, "{:.0f} tok/s"),
        *_moved("first token", now.ttft_s, then.ttft_s, "{:.2f} s"),
        *_headroom(now, then),
    ]
    return f"By the plan: {'; '.join(moved)}." if moved else "By the plan no figure changes."


def _moved(what: str, now: float | None, then: float | None, form: str) -> tuple[str, ...]:
    if now is None or then is None or abs(then - now) < _NOTICEABLE * abs(now):
        return ()
    return (f"{what} {form.format(now)} -> {form.format(then)}",)


def _headroom(now: Planned, then: Planned) -> tuple[str, ...]:
    before, after = now.headroom_bytes, then.headroom_bytes
    if before is None or after is None or abs(after - before) < _NOTICEABLE * abs(before):
        return ()
    return (f"headroom {gib(before)} -> {gib(after)}",)


def _option(flag: str) -> str:
    return "--" + flag.replace("_", "-")


def _value(serving: Serving, flag: str, to: FlagValue) -> str:
    now = serving.flags.get(flag)
    return f"{_text(to)} instead of {_text(now)}" if now is not None else _text(to)


def _text(value: FlagValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _more_sequences(serving: Serving) -> Change:
    now = serving.number("max_num_seqs")
    return {"max_num_seqs": int(now + max(1, now // 2))} if now else {}


def _fewer_sequences(serving: Serving) -> Change:
    now = serving.number("max_num_seqs")
    return {"max_num_seqs": int(now // 2)} if now and now >= 2 else {}


def _larger_share(serving: Serving) -> Change:
    now = serving.number("gpu_memory_utilization")
    if now is None or now >= _LARGEST_SHARE - 0.005 or "kv_cache_memory_bytes" in serving.flags:
        return {}
    return {"gpu_memory_utilization": min(_LARGEST_SHARE, round(now + 0.05, 2))}


def _shorter_context(serving: Serving) -> Change:
    """Three quarters, in whole blocks of 1,024: what the 70B's guide does (65,536 to 49,152)."""
    now = serving.number("max_model_len")
    shorter = int((now or 0) * 3 // 4) // 1024 * 1024
    return {"max_model_len": shorter} if shorter >= _SHORTEST_CONTEXT else {}


def _fp8_cache(serving: Serving) -> Change:
    """Only from a type that is known to be wider: ``auto`` may be FP8 already."""
    wide = serving.flags.get("kv_cache_dtype") in ("bfloat16", "float16")
    return {"kv_cache_dtype": "fp8"} if wide else {}


def _prefix_caching(serving: Serving) -> Change:
    off = serving.flags.get("enable_prefix_caching") is False
    return {"enable_prefix_caching": True} if off else {}


def _larger_batch(serving: Serving) -> Change:
    now = serving.number("max_num_batched_tokens")
    if not now or now >= _LARGEST_BATCH:
        return {}
    return {"max_num_batched_tokens": int(min(_LARGEST_BATCH, 2 * now))}
