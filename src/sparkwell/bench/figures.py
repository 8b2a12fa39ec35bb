"""What one repeat of a case measured, from its samples. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sparkwell.bench.sample import Sample
from sparkwell.bench.silences import Silence, longest_silence

PERCENTILES = (50, 90, 95, 99)
_SPREADS = ("mean", "p50", "p90", "p95", "p99", "most")
_TIMES = ("ttft", "tpot", "itl", "e2e")
_RATES = ("output_tokens_per_s", "total_tokens_per_s", "requests_per_s", "goodput", "good_share")


@dataclass(frozen=True, slots=True)
class Slo:
    """What a request has to keep to be a good one; seconds, None is not asked for."""

    ttft_s: float | None = None
    tpot_s: float | None = None
    e2e_s: float | None = None

    def kept_by(self, sample: Sample) -> bool:
        """Whether a whole answer came within all of it."""
        pairs = (
            (self.ttft_s, sample.ttft_s), (self.tpot_s, sample.tpot_s), (self.e2e_s, sample.e2e_s)
        )  # fmt: skip
        return sample.good and all(
            most is None or got is None or got <= most for most, got in pairs
        )


@dataclass(frozen=True, slots=True)
class Spread:
    """Seconds: their mean, the percentiles by name, and the largest."""

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    most: float


@dataclass(frozen=True, slots=True)
class Figures:
    """One repeat: rates over all of it, from its first request to its last answer.

    ``goodput`` is requests a second that kept the SLO, ``good_share`` their share of all; both are
    None without one. ``silence`` is the longest time without a token while requests were out.
    ``lag_p99_s`` is how late the client itself woke: what is smaller cannot be told apart.
    ``lag_most_s`` is the worst of it, ``client_share`` the part of one core that it took.
    """

    requests: int
    failed: int
    seconds: float
    prompt_tokens: int
    output_tokens: int
    output_tokens_per_s: float
    total_tokens_per_s: float
    requests_per_s: float
    ttft: Spread | None
    tpot: Spread | None
    itl: Spread | None
    e2e: Spread | None
    goodput: float | None
    good_share: float | None
    lag_p99_s: float | None
    client_share: float
    lag_most_s: float | None = None
    silence: Silence | None = None


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Of sorted values, interpolated between neighbours as numpy does it by default."""
    at = (len(ordered) - 1) * percent / 100
    below, share = math.floor(at), at % 1
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * share


def spread(values: Iterable[float | None]) -> Spread | None:
    """Of those that are known; None where none is."""
    ordered = sorted(each for each in values if each is not None)
    if not ordered:
        return None
    p50, p90, p95, p99 = (percentile(ordered, each) for each in PERCENTILES)
    return Spread(math.fsum(ordered) / len(ordered), p50, p90, p95, p99, ordered[-1])


def figures(
    samples: Sequence[Sample],
    *,
    began_s: float,
    ended_s: float,
    slo: Slo | None = None,
    lags: Sequence[float] = (),
    cpu_s: float = 0.0,
    documents: int = 0,
) -> Figures:
    """The figures of one repeat. Failed requests count in ``failed`` and in no latency.

    ``documents`` is how many a cache has after their first time, as ``longest_silence`` takes it.
    """
    good, seconds = [sample for sample in samples if sample.good], max(ended_s - began_s, 1e-9)
    prompt = sum(sample.prompt_tokens or 0 for sample in good)
    output = sum(sample.tokens for sample in good)
    kept = None if slo is None else sum(map(slo.kept_by, samples))
    return Figures(
        requests=len(samples),
        failed=len(samples) - len(good),
        seconds=seconds,
        prompt_tokens=prompt,
        output_tokens=output,
        output_tokens_per_s=output / seconds,
        total_tokens_per_s=(prompt + output) / seconds,
        requests_per_s=len(good) / seconds,
        ttft=spread(sample.ttft_s for sample in good),
        tpot=spread(sample.tpot_s for sample in good),
        itl=spread(gap for sample in good for gap in sample.gaps),
        e2e=spread(sample.e2e_s for sample in good),
        goodput=None if kept is None else kept / seconds,
        good_share=None if kept is None or not samples else kept / len(samples),
        lag_p99_s=percentile(sorted(lags), 99) if lags else None,
        client_share=cpu_s / seconds,
        lag_most_s=max(lags, default=None),
        silence=longest_silence(samples, documents),
    )


def by_name(figures: Figures) -> dict[str, float]:
    """As a run's document names them, ``ttft_p99_s``; what is not known is left out."""
    flat: dict[str, float] = {}
    for time in _TIMES:
        spread: Spread | None = getattr(figures, time)
        if spread is not None:
            flat |= {f"{time}_{each}_s": getattr(spread, each) for each in _SPREADS}
    rates = {name: getattr(figures, name) for name in _RATES}
    rates["silence_s"] = None if figures.silence is None else figures.silence.seconds
    return flat | {name: value for name, value in rates.items() if value is not None}
