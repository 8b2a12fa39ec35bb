"""Signs of life in vLLM's /metrics: whether anything was done since the last look.

All these come from the engine core's own reports, which end when it hangs: what the gauges say
then is what was so before.
"""

from dataclasses import dataclass

_GROWS = (
    "vllm:generation_tokens_total",
    "vllm:prompt_tokens_total",
    "vllm:request_success_total",
    "vllm:num_preemptions_total",
    # Moves while a long prompt is read in chunks, which counts as prompt tokens at its end alone.
    "vllm:kv_cache_usage_perc",
    "vllm:gpu_cache_usage_perc",  # its name in 0.10
)
_HAS_WORK = ("vllm:num_requests_running", "vllm:num_requests_waiting")


@dataclass(frozen=True, slots=True)
class Progress:
    """``mark`` differs from an earlier one when something was done between the two.

    ``requests`` are those that run or wait.
    """

    mark: tuple[float, ...]
    requests: int


def read_progress(text: str) -> Progress | None:
    """What an answer of /metrics says; None where it has not a single one of the counters."""
    sums = _sums(text)
    grown = tuple(sums[name] for name in _GROWS if name in sums)
    if not grown:
        return None
    return Progress(grown, int(sum(sums.get(name, 0.0) for name in _HAS_WORK)))


def _sums(text: str) -> dict[str, float]:
    """The wanted series, each added up over its labels (engines, reasons)."""
    wanted, sums = frozenset((*_GROWS, *_HAS_WORK)), dict[str, float]()
    for line in text.splitlines():
        name = line.partition("{")[0].partition(" ")[0]
        value = _number(line) if name in wanted else None
        if value is not None:
            sums[name] = sums.get(name, 0.0) + value
    return sums


def _number(line: str) -> float | None:
    try:
        value = float(line.rpartition(" ")[2])
    except ValueError:
        return None
    return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124
