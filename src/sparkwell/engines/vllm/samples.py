"""vLLM's /metrics, read: one engine at one moment, whatever its version calls the series.

Prometheus' own parser takes 30 ms for a page, most of it for series that nobody asked for. Here
only lines of wanted names are looked at. Several engines behind one port (data parallel, the label
``engine``) are one for the user: what they count is added up. ``kv_used`` is their mean: all have
a cache of the same size, so it is the share of all that memory; that one of them is full shows in
``waiting`` and ``preemptions``.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, isfinite, isnan, nan
from operator import le

from sparkwell.engines.samples import EngineSample, Histogram

_PREFIX = "vllm:"


@dataclass(frozen=True, slots=True)
class Name:
    """A series that fills ``field``: vLLM ``since`` to ``until`` has it, None where it still does.

    ``until`` counts the versions that show it only when asked (--show-hidden-metrics-for-version).
    """

    field: str
    series: str
    since: str = "0.10"
    until: str | None = None


# Of names of one field, the first that a page has counts. From vllm/v1/metrics/loggers.py of 0.10.0
# to 0.33.0. What 0.10 called time_per_output_token was the time between two tokens already.
NAMES = (
    Name("running", "vllm:num_requests_running"),
    Name("waiting", "vllm:num_requests_waiting"),
    Name("kv_used", "vllm:kv_cache_usage_perc"),
    Name("kv_used", "vllm:gpu_cache_usage_perc", until="0.11"),
    Name("prompt_tokens", "vllm:prompt_tokens_total"),
    Name("generation_tokens", "vllm:generation_tokens_total"),
    Name("prefix_queries", "vllm:prefix_cache_queries_total"),
    Name("prefix_queries", "vllm:gpu_prefix_cache_queries_total", until="0.11"),
    Name("prefix_hits", "vllm:prefix_cache_hits_total"),
    Name("prefix_hits", "vllm:gpu_prefix_cache_hits_total", until="0.11"),
    Name("preemptions", "vllm:num_preemptions_total"),
    Name("requests_done", "vllm:request_success_total"),
    Name("ttft", "vllm:time_to_first_token_seconds"),
    Name("itl", "vllm:inter_token_latency_seconds", since="0.11"),
    Name("itl", "vllm:time_per_output_token_seconds", until="0.13"),
    Name("tpot", "vllm:request_time_per_output_token_seconds", since="0.11"),
    Name("e2e", "vllm:e2e_request_latency_seconds"),
    Name("queue", "vllm:request_queue_time_seconds"),
)
HISTOGRAMS = frozenset({"ttft", "itl", "tpot", "e2e", "queue"})
_NOT_WELL = frozenset({"abort", "error"})  # counted as "success" all the same

Lines = Mapping[str, list[tuple[str, float]]]
"""Labels and value of each line of a series, by the name that the line begins with."""


def read_sample(text: str) -> EngineSample:
    """What an answer of /metrics says; all None where it is something else. Never raises.

    Of a page that breaks off, the series before the last one count. A value that is no number,
    negative or not finite makes its figure unknown. Time grows with the length of ``text``.
    """
    found = _lines(_whole(text))
    return EngineSample(
        running=_sum(_of(found, "running")),
        waiting=_sum(_of(found, "waiting")),
        kv_used=_mean_share(_of(found, "kv_used")),
        prompt_tokens=_sum(_of(found, "prompt_tokens")),
        generation_tokens=_sum(_of(found, "generation_tokens")),
        prefix_queries=_sum(_of(found, "prefix_queries")),
        prefix_hits=_sum(_of(found, "prefix_hits")),
        preemptions=_sum(_of(found, "preemptions")),
        requests_done=_sum(_ended_well(_of(found, "requests_done"))),
        ttft=_histogram(found, "ttft"),
        itl=_histogram(found, "itl"),
        tpot=_histogram(found, "tpot"),
        e2e=_histogram(found, "e2e"),
        queue=_histogram(found, "queue"),
    )


def _names(field: str) -> tuple[str, ...]:
    return tuple(name.series for name in NAMES if name.field == field)


_BY_FIELD = {name.field: _names(name.field) for name in NAMES}
_WANTED = frozenset(name.series for name in NAMES if name.field not in HISTOGRAMS) | frozenset(
    name.series + end for name in NAMES if name.field in HISTOGRAMS for end in ("_bucket", "_sum")
)
_BOUND = re.compile(r'[{,]le="([^"]+)"')
_REASON = re.compile(r'[{,]finished_reason="([^"]*)"')


def _whole(text: str) -> str:
    """The text without a series that it breaks off in: that may lack digits, or an engine."""
    return text if text.endswith("\n") else text[: text.rfind("\n# ") + 1]


def _lines(text: str) -> Lines:
    found: dict[str, list[tuple[str, float]]] = {}
    for line in text.split("\n"):  # not splitlines: a label may hold what that takes for an end
        if line.startswith(_PREFIX):
            name = line.partition("{")[0].partition(" ")[0]
            if name in _WANTED:
                labels, _, value = line.rpartition("}") if "{" in line else line.partition(" ")
                found.setdefault(name, []).append((labels, _number(value)))
    return found


def _number(text: str) -> float:
    """The first word, after which a time may follow; NaN where that is no number."""
    try:
        return float(text.split(maxsplit=1)[0])
    except (IndexError, ValueError):
        return nan


def _of(found: Lines, field: str) -> list[tuple[str, float]]:
    return next((found[name] for name in _BY_FIELD[field] if name in found), [])


def _ended_well(lines: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    return [each for each in lines if not _NOT_WELL.intersection(_REASON.findall(each[0]))]


def _sum(lines: Iterable[tuple[str, float]]) -> float | None:
    values = [value for _, value in lines]
    return sum(values) if values and all(map(_is_known, values)) else None


def _is_known(value: float) -> bool:
    return isfinite(value) and value >= 0


def _mean_share(lines: list[tuple[str, float]]) -> float | None:
    total = _sum(lines)
    share = None if total is None else total / len(lines)
    return share if share is not None and share <= 1 else None


def _histogram(found: Lines, field: str) -> Histogram | None:
    """All engines' in one; None without a bucket for everything, or without a sum."""
    for name in _BY_FIELD[field]:
        if name + "_bucket" in found:
            return _added_up(found[name + "_bucket"], _sum(found.get(name + "_sum", [])))
    return None


def _added_up(buckets: Iterable[tuple[str, float]], sum_s: float | None) -> Histogram | None:
    counts: dict[float, float] = {}
    for labels, count in buckets:
        bound = _BOUND.search(labels)
        at = _number(bound[1]) if bound else nan
        counts[at] = counts.get(at, 0.0) + count
    found = tuple(counts[at] for at in sorted(counts))
    if sum_s is None or inf not in counts or not _is_growing(tuple(counts), found):
        return None
    return Histogram(tuple(sorted(counts)), found, sum_s)


def _is_growing(bounds: tuple[float, ...], counts: tuple[float, ...]) -> bool:
    """Whether these can be the counts of a histogram: an engine that lacks a bucket breaks it."""
    known = not any(map(isnan, bounds)) and all(map(_is_known, counts))
    return known and all(map(le, counts, counts[1:]))
