"""What an engine says of itself at one moment, in names that no version changes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Histogram:
    """How long things took since the engine began, as Prometheus counts it.

    ``counts[i]`` is how many took at most ``bounds[i]`` seconds: both grow, and the last bound is
    infinite. ``sum_s`` is the sum of all in seconds.
    """

    bounds: tuple[float, ...]
    counts: tuple[float, ...]
    sum_s: float


@dataclass(frozen=True, slots=True)
class EngineSample:
    """One engine at one moment; None where its version, or its kind, does not say.

    ``running`` and ``waiting`` are requests, ``kv_used`` is a share of the KV cache, 0 to 1,
    ``held_bytes`` the memory that it says it holds. The rest counts from the engine's start:
    tokens, prefix-cache tokens asked for and found, preemptions, requests that ended well, and
    seconds to the first token, between tokens (``itl``), for each token of a request (``tpot``),
    for a whole request (``e2e``), and waiting for its turn in the engine (``queue``).
    """

    running: float | None = None
    waiting: float | None = None
    kv_used: float | None = None
    held_bytes: float | None = None
    prompt_tokens: float | None = None
    generation_tokens: float | None = None
    prefix_queries: float | None = None
    prefix_hits: float | None = None
    preemptions: float | None = None
    requests_done: float | None = None
    ttft: Histogram | None = None
    itl: Histogram | None = None
    tpot: Histogram | None = None
    e2e: Histogram | None = None
    queue: Histogram | None = None
