"""How long the first token takes, and long contexts that run together."""

from collections.abc import Iterator

from sparkwell.checks.say import ok
from sparkwell.checks.serving_changes import (
    FEWER_SEQUENCES,
    FP8_CACHE,
    LARGER_SHARE,
    MORE_SEQUENCES,
    PREFIX_CACHING,
    SHORTER_CONTEXT,
    remedy,
)
from sparkwell.checks.serving_limits import enough, limit, limits, loaded
from sparkwell.checks.serving_parts import Serving, ServingCheck
from sparkwell.checks.serving_say import below, line, percent
from sparkwell.core.findings import Finding, Remedy, Severity

TTFT, LONG = "ttft-high", "long-contexts-together"


def ttft_high(serving: Serving) -> Iterator[Finding]:
    """The first token comes in time; else what it waits for."""
    window, most = serving.window, limit("ttft", serving.model)
    if not enough(window) or window.ttft_p95_s is None:
        return
    if (window.requests or 0.0) < limits().evidence.requests:
        return
    evidence = line("first token, 95th percentile", f"{window.ttft_p95_s:.2f} s",
                    f"{most.value:g} s at most", most.says)  # fmt: skip
    if window.ttft_p95_s <= most.value:
        yield ok(TTFT, "The first token comes in time", evidence)
        return
    severity, cause, remedies = _why(serving, most.value)
    yield Finding(
        TTFT,
        severity,
        "The first token takes long",
        evidence=(evidence, *_circumstances(serving)),
        cause=cause,
        remedies=remedies,
    )


def _why(serving: Serving, most_s: float) -> tuple[Severity, str, tuple[Remedy, ...]]:
    """The likeliest reason first: a full cache, a full list, a prompt that takes so long."""
    if _cache_is_full(serving):
        return Severity.WARNING, "Requests wait for room in the KV cache.", _room(serving)
    if _list_is_full(serving):
        return Severity.WARNING, "Requests wait because as many run as may.", _list(serving)
    if (serving.planned.ttft_s or 0.0) > most_s:
        cause = "Reading prompts of this length takes so long on this machine, also alone."
        return Severity.INFO, cause, _reading(serving)
    cause = "Requests share each step of the engine with the prompts of others."
    return Severity.WARNING, cause, (*_reading(serving), *_fewer(serving))


def _cache_is_full(serving: Serving) -> bool:
    used, most = serving.window.kv_used_mean, limit("kv-high", serving.model).value
    return (used is not None and used > most) or (serving.window.preemptions or 0.0) > 0


def _list_is_full(serving: Serving) -> bool:
    window, allowed = serving.window, serving.number("max_num_seqs")
    if allowed is None or window.running_max is None or window.waiting is None:
        return False
    return window.waiting > 0 and window.running_max >= allowed


def _room(serving: Serving) -> tuple[Remedy, ...]:
    return (
        *remedy(serving, LARGER_SHARE, "Give the engine more of the memory:"),
        *remedy(serving, FP8_CACHE, "Keep the cache in FP8, half the bytes for each token:"),
        *_fewer(serving),
    )


def _list(serving: Serving) -> tuple[Remedy, ...]:
    return remedy(serving, MORE_SEQUENCES, "Let more run at once, where the cache has room:")


def _reading(serving: Serving) -> tuple[Remedy, ...]:
    return (
        *remedy(serving, PREFIX_CACHING, "Cache the beginnings of prompts:"),
        Remedy("Put what repeats at the beginning of the prompt, so that it is read once."),
    )


def _fewer(serving: Serving) -> tuple[Remedy, ...]:
    text = "Let fewer run at once; those that wait then wait longer, those that run go faster:"
    return remedy(serving, FEWER_SEQUENCES, text)


def _circumstances(serving: Serving) -> tuple[str, ...]:
    window = serving.window
    figures = below(
        ("run on average", window.running),
        ("wait on average", window.waiting),
        ("tokens a prompt", window.prompt_tokens),
    )
    planned = serving.planned.ttft_s
    return (
        *figures,
        *((f"KV cache in use: {percent(window.kv_used_mean)}",)
          if window.kv_used_mean is not None else ()),
        *((f"{planned:.2f} s planned for a lone prompt of this length",)
          if planned is not None else ()),
    )  # fmt: skip


def long_contexts_together(serving: Serving) -> Iterator[Finding]:
    """Long contexts run together only as many as the KV cache has room for."""
    window = serving.window
    many, long = limit("long-running", serving.model), limit("long-prompt", serving.model)
    if not loaded(window) or window.running is None or window.prompt_tokens is None:
        return
    if window.running <= many.value or window.prompt_tokens < long.value:
        return
    capacity = serving.planned.kv_cache_tokens
    wanted = window.running * window.prompt_tokens
    fits = capacity is not None and wanted <= capacity
    yield Finding(
        LONG,
        Severity.INFO if fits else Severity.WARNING,
        "Many long contexts run together",
        evidence=(
            line("running", f"{window.running:.1f}",
                 f"{many.value:g} at most of {long.value:,.0f} tokens and more", many.says),
            f"{window.prompt_tokens:,.0f} tokens a prompt on average, {wanted:,.0f} in all",
            *((f"{capacity:,} tokens of KV cache by the plan",) if capacity else ()),
        ),
        cause="The KV cache holds them all; the more there are, the slower is each step."
        if fits
        else "The KV cache may not hold them all: requests then wait or are set back.",
        remedies=(
            *remedy(serving, FEWER_SEQUENCES, "Let fewer run at once:"),
            *remedy(serving, FP8_CACHE, "Keep the cache in FP8, half the bytes for each token:"),
            *remedy(serving, SHORTER_CONTEXT, "Refuse the longest requests:"),
        ),
    )  # fmt: skip


CHECKS = (
    ServingCheck(TTFT, "Does the first token come in time?", ttft_high),
    ServingCheck(LONG, "Do too many long contexts run together?", long_contexts_together),
)
