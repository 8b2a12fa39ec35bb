"""The KV cache of a model that serves: too full, with room to spare, and not shared by prompts."""

from collections.abc import Iterator

from sparkwell.checks.say import ok
from sparkwell.checks.serving_about import KV_FULL
from sparkwell.checks.serving_changes import (
    FEWER_SEQUENCES,
    FP8_CACHE,
    LARGER_SHARE,
    MORE_SEQUENCES,
    SHORTER_CONTEXT,
    remedy,
)
from sparkwell.checks.serving_limits import limit, loaded
from sparkwell.checks.serving_parts import Serving, ServingCheck, Window
from sparkwell.checks.serving_queue import one_at_a_time
from sparkwell.checks.serving_say import below, line, percent
from sparkwell.core.findings import Finding, Remedy, Severity

FULL, ROOMY = "kv-cache-full", "kv-cache-underused"


def kv_cache_full(serving: Serving) -> Iterator[Finding]:
    """The KV cache holds what runs; else requests are set back, or soon will be."""
    window, most = serving.window, limit("kv-high", serving.model)
    if not loaded(window) or window.kv_used_mean is None:
        return
    preempted = (window.preemptions or 0.0) > 0
    if window.kv_used_mean <= most.value and not preempted:
        return
    yield Finding(
        FULL,
        Severity.WARNING,
        KV_FULL.title,
        evidence=(
            line("KV cache in use", percent(window.kv_used_mean), f"{percent(most.value)} at most",
                 most.says),
            *_what_runs(window),
            *((f"{window.preemptions:.0f} requests set back (preempted)",) if preempted else ()),
        ),
        cause=KV_FULL.cause,
        remedies=(
            *remedy(serving, LARGER_SHARE, "Give the engine more of the memory:"),
            *remedy(serving, FP8_CACHE, "Keep the cache in FP8, half the bytes for each token:"),
            *remedy(serving, FEWER_SEQUENCES, "Let fewer run at once, so that the others wait "
                    "instead of being set back:"),
            *remedy(serving, SHORTER_CONTEXT, "Refuse the longest requests:"),
        ),
    )  # fmt: skip


def kv_cache_underused(serving: Serving) -> Iterator[Finding]:
    """The KV cache is well filled; else more requests could run at once."""
    window = serving.window
    least, most = limit("kv-low", serving.model), limit("kv-high", serving.model)
    if not loaded(window) or window.kv_used_mean is None or window.kv_used_max is None:
        return
    if one_at_a_time(serving):
        return  # said already, by the check of what comes at once
    used = line("KV cache in use, at most", percent(window.kv_used_max),
                f"{percent(least.value)} or more", least.says)  # fmt: skip
    if window.kv_used_max < least.value:
        yield _held_back(serving, used) if _is_held_back(serving) else _room(serving, used)
    elif window.kv_used_mean <= most.value:
        yield ok(ROOMY, "The KV cache is well filled", used)


def _is_held_back(serving: Serving) -> bool:
    """Whether requests wait while as many run as may."""
    window, allowed = serving.window, serving.number("max_num_seqs")
    if window.waiting is None or window.running_max is None or allowed is None:
        return False
    return window.waiting >= 1 and window.running_max >= allowed


def _held_back(serving: Serving, used: str) -> Finding:
    return Finding(
        ROOMY,
        Severity.WARNING,
        "Requests wait though the KV cache has room",
        evidence=(used, *_what_runs(serving.window)),
        cause=f"No more than {serving.number('max_num_seqs'):.0f} run at once (--max-num-seqs).",
        remedies=remedy(serving, MORE_SEQUENCES, "Let more run at once:"),
    )


def _room(serving: Serving, used: str) -> Finding:
    allowed = serving.number("max_num_seqs")
    may = f" --max-num-seqs allows {allowed:.0f}." if allowed else ""
    return Finding(
        ROOMY,
        Severity.INFO,
        "The KV cache has room for more requests at once",
        evidence=(used, *_what_runs(serving.window)),
        cause="Fewer or shorter requests come than it was made for; that harms nothing.",
        remedies=(
            Remedy(f"Send more requests at once: each costs little beside the others.{may}"),
        ),
    )


def _what_runs(window: Window) -> tuple[str, ...]:
    return below(("run on average", window.running), ("wait on average", window.waiting))


CHECKS = (
    ServingCheck(FULL, "Does the KV cache hold what runs?", kv_cache_full),
    ServingCheck(ROOMY, "Could more requests run at once?", kv_cache_underused),
)
