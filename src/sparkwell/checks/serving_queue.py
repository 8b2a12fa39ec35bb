"""What comes at once: more than is served, so that the queue grows, or one request at a time."""

from collections.abc import Iterator

from sparkwell.checks.serving_changes import (
    FP8_CACHE,
    LARGER_SHARE,
    MORE_SEQUENCES,
    remedy,
)
from sparkwell.checks.serving_limits import limit, limits, loaded
from sparkwell.checks.serving_parts import Serving, ServingCheck
from sparkwell.checks.serving_say import below, percent
from sparkwell.core.findings import Finding, Remedy, Severity

GROWING, LOW_BATCHING = "queue-growing", "low-batching"
_GROWTH = 4.0
_STEP = 1.0
"""So many more have to wait in the last third than in the first, and in each than before it."""


def queue_growing(serving: Serving) -> Iterator[Finding]:
    """No more requests come than are served; else more wait from minute to minute."""
    window = serving.window
    if not loaded(window) or window.waiting_thirds is None:
        return
    first, middle, last = window.waiting_thirds
    if last - first < _GROWTH or middle - first < _STEP or last - middle < _STEP:
        return
    cause, remedies = _why(serving)
    yield Finding(
        GROWING,
        Severity.WARNING,
        "The queue grows: more requests come than are served",
        evidence=(
            f"waiting, by thirds of {window.seconds:.0f} s: {first:.1f}, {middle:.1f}, {last:.1f}",
            *below(("run on average", window.running), ("run at most", window.running_max)),
            *((f"KV cache in use: {percent(window.kv_used_mean)}",)
              if window.kv_used_mean is not None else ()),
        ),
        cause=cause,
        remedies=(
            *remedies,
            Remedy("Have clients send fewer requests at once, or ask for shorter answers "
                   "(max_tokens): what waits here only waits longer."),
            Remedy("Or take a model that gives more tokens/s here.", "sparkwell recommend"),
        ),
    )  # fmt: skip


def _why(serving: Serving) -> tuple[str, tuple[Remedy, ...]]:
    """What keeps those that wait from running."""
    window, allowed = serving.window, serving.number("max_num_seqs")
    full = limit("kv-high", serving.model).value
    if (window.kv_used_mean or 0.0) > full or (window.preemptions or 0.0) > 0:
        return "Those that wait find no room in the KV cache.", (
            *remedy(serving, LARGER_SHARE, "Give the engine more of the memory:"),
            *remedy(serving, FP8_CACHE, "Keep the cache in FP8, half the bytes for each token:"),
        )
    if allowed is not None and (window.running_max or 0.0) >= allowed:
        more = remedy(serving, MORE_SEQUENCES, "Let more run at once, where the cache has room:")
        return f"No more than {allowed:.0f} run at once (--max-num-seqs).", more
    return "The engine is given more than this machine computes in the same time.", ()


def low_batching(serving: Serving) -> Iterator[Finding]:
    """Requests run together; else each has the machine for itself, and pays for it alone."""
    window = serving.window
    if not one_at_a_time(serving):
        return
    speed = window.output_tokens_per_s
    yield Finding(
        LOW_BATCHING,
        Severity.INFO,
        "Requests come one at a time",
        evidence=(
            f"{window.requests or 0:.0f} requests in {window.seconds:.0f} s, never two at once",
            *((f"all together: {speed:.1f} tok/s",) if speed is not None else ()),
            *((f"GPU in use: {percent(window.gpu_used)}",) if window.gpu_used is not None else ()),
        ),
        cause="A step reads all active weights, for one request as for many: those that run "
        "together share that reading, and a client that waits for each answer gives it up.",
        remedies=(
            Remedy("Send requests at once (async, threads, or a batch): together they get many "
                   "times the tokens/s, each a little slower."),
        ),
    )  # fmt: skip


def one_at_a_time(serving: Serving) -> bool:
    """Whether a row of requests came one after the other, and no two ran together."""
    window = serving.window
    many = (window.requests or 0.0) >= limits().evidence.prompts
    return loaded(window) and many and window.running_max is not None and window.running_max <= 1


CHECKS = (
    ServingCheck(GROWING, "Does the engine keep up with what comes?", queue_growing),
    ServingCheck(LOW_BATCHING, "Do requests run together?", low_batching),
)
