"""Two samples of an engine, and what happened between them. Pure: no clock, no socket."""

import math
from dataclasses import dataclass

from sparkwell.engines.samples import EngineSample
from sparkwell.monitor.quantiles import Ended, ended, quantile
from sparkwell.monitor.speed import Planned, plan_share, roofline_share, tokens_per_joule
from sparkwell.store.series_names import ENGINE_SERIES

COUNTERS = (
    "prompt_tokens",
    "generation_tokens",
    "prefix_queries",
    "prefix_hits",
    "preemptions",
    "requests_done",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """How an engine is doing. Each field but the last is a series; None where unknown.

    Rates are of the interval between two samples. ``prefix_hit`` is the share of the prompt
    tokens asked for in the interval that were in the prefix cache. Percentiles are of what ended
    in a longer window, in seconds: to the first token (``ttft``), between tokens (``itl``), for
    each token of a request (``tpot``). ``problem`` says why an engine could not be read.
    """

    output_tokens_per_s: float | None = None
    prompt_tokens_per_s: float | None = None
    running: float | None = None
    waiting: float | None = None
    kv_used: float | None = None
    prefix_hit: float | None = None
    preemptions_per_s: float | None = None
    ttft_p50_s: float | None = None
    ttft_p95_s: float | None = None
    itl_p50_s: float | None = None
    itl_p95_s: float | None = None
    tpot_p50_s: float | None = None
    requests_per_s: float | None = None
    tokens_per_joule: float | None = None
    plan_share: float | None = None
    roofline_share: float | None = None
    problem: str | None = None

    def values(self) -> dict[str, float | None]:
        """Its series by name."""
        return {name: getattr(self, name) for name in ENGINE_SERIES}


def derive(
    before: EngineSample | None,
    after: EngineSample,
    elapsed_s: float,
    *,
    earliest: EngineSample | None = None,
    power_w: float | None = None,
    planned: Planned | None = None,
) -> Reading:
    """What two samples that are ``elapsed_s`` apart say.

    ``earliest`` is where the window of the percentiles begins, ``before`` where it is None.
    Without ``before``, with no time between them, or where the engine began anew, no rate and no
    percentile is known. ``power_w`` is the GPU's, None where others generated on it too.
    """
    if before is None or not elapsed_s > 0 or restarted(before, after):
        return _gauges(after)
    rates = {name: _rate(grown(before, after, name), elapsed_s) for name in COUNTERS}
    output, at_once = rates["generation_tokens"], busy(before, after, elapsed_s)
    start = earliest if earliest and not restarted(earliest, after) else before
    first, between = ended(start.ttft, after.ttft), ended(start.itl, after.itl)
    gauges = _gauges(after)
    return Reading(
        running=gauges.running,
        waiting=gauges.waiting,
        kv_used=gauges.kv_used,
        output_tokens_per_s=output,
        prompt_tokens_per_s=rates["prompt_tokens"],
        prefix_hit=_hit(
            grown(before, after, "prefix_hits"), grown(before, after, "prefix_queries")
        ),
        preemptions_per_s=rates["preemptions"],
        ttft_p50_s=quantile(first, 0.5),
        ttft_p95_s=quantile(first, 0.95),
        itl_p50_s=quantile(between, 0.5),
        itl_p95_s=quantile(between, 0.95),
        tpot_p50_s=quantile(ended(start.tpot, after.tpot), 0.5),
        requests_per_s=rates["requests_done"],
        tokens_per_joule=tokens_per_joule(output, power_w),
        plan_share=plan_share(output, at_once, planned),
        roofline_share=roofline_share(output, at_once, planned),
    )


def restarted(before: EngineSample, after: EngineSample) -> bool:
    """Whether a counter went down: they count from the start of the engine."""
    return any(_went_down(getattr(before, name), getattr(after, name)) for name in COUNTERS)


def grown(before: EngineSample, after: EngineSample, counter: str) -> float | None:
    """By how much a counter grew; None where a sample does not have it."""
    early, late = _number(getattr(before, counter)), _number(getattr(after, counter))
    return None if early is None or late is None else max(0.0, late - early)


def busy(before: EngineSample, after: EngineSample, elapsed_s: float) -> float | None:
    """How many sequences were decoded at once, on average over the interval.

    Each one adds its time between tokens, all through its decoding: their sum over the interval
    is the mean (Little's law). Where that is not told, the mean of the two ends, if any ran then.
    """
    between: Ended | None = ended(before.itl, after.itl)
    if between is not None and math.isfinite(between.sum_s) and between.sum_s >= 0:
        return between.sum_s / elapsed_s
    ends = [_number(before.running), _number(after.running)]
    known = [each for each in ends if each is not None]
    return (sum(known) / len(known) or None) if known else None


def _gauges(sample: EngineSample) -> Reading:
    return Reading(
        running=_number(sample.running),
        waiting=_number(sample.waiting),
        kv_used=_number(sample.kv_used),
    )


def _rate(difference: float | None, elapsed_s: float) -> float | None:
    return None if difference is None else difference / elapsed_s


def _hit(hits: float | None, queries: float | None) -> float | None:
    return min(1.0, hits / queries) if hits is not None and queries else None


def _went_down(before: float | None, after: float | None) -> bool:
    return before is not None and after is not None and after < before


def _number(value: float | None) -> float | None:
    """A count or a share; what is none, or negative, is not known."""
    return value if value is not None and math.isfinite(value) and value >= 0 else None
