"""A run as a document: what was asked, what came, beside what was expected. Pure.

Names carry their units. Every figure of a case is a mean of its repeats with a 95 % interval; the
requests stand below, so that anybody can compute something else from them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sparkwell.bench.beside import Expected, Guide
from sparkwell.bench.figures import Figures, Slo, Spread
from sparkwell.bench.intervals import interval
from sparkwell.bench.results import Measured, Repeat
from sparkwell.bench.sample import Sample
from sparkwell.bench.suites import Case

VERSION = 1
LATE_SHARE = 0.02
"""The client woke late by more than this share of what it measured: that figure is in doubt."""
BUSY_SHARE = 0.7
WIDE_SHARE = 0.5
SHORTEST_S = 1.0
"""In less the client's own beginning is most of what it does."""
_SPREADS = ("mean", "p50", "p90", "p95", "p99", "most")
_TIMES = ("ttft", "tpot", "itl", "e2e")
_RATES = ("output_tokens_per_s", "total_tokens_per_s", "requests_per_s", "goodput", "good_share")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class About:
    """What was measured, where, with what: all that somebody needs to do it again.

    ``at`` is Unix time. ``flags`` are the engine's, None where they are not known, as those of
    somebody else's endpoint. ``command`` is what was typed.
    """

    run: str
    at: float
    model: str
    suite: str
    url: str
    command: str
    seed: str
    machine: Mapping[str, Any]
    versions: Mapping[str, str | None]
    repo: str | None = None
    flags: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Beside:
    """What was expected of a case, as far as it is known."""

    planned: Expected | None = None
    guide: Guide | None = None


def document(
    about: About,
    cases: Sequence[Case],
    measured: Measured,
    beside: Callable[[Case], Beside],
    slo: Slo | None = None,
) -> Json:
    """The run. ``broken`` says why it is not whole; what was measured until then is there."""
    found = [
        _case(case, measured.repeats[place], beside(case))
        for place, case in enumerate(cases)
        if place in measured.repeats
    ]
    return {
        "format": VERSION,
        **asdict(about),
        "slo": None if slo is None else asdict(slo),
        "broken": measured.broken,
        "cases": found,
    }


def _case(case: Case, repeats: Sequence[Repeat], beside: Beside) -> Json:
    figures = [repeat.figures for repeat in repeats if repeat.figures.requests]
    return {
        "name": case.name,
        "workload": asdict(case.workload),
        "clients": case.clients,
        "rate": case.rate,
        "requests": case.requests,
        "failed": sum(each.failed for each in figures),
        "measured": measured_figures(figures),
        "planned": None if beside.planned is None else asdict(beside.planned),
        "guide": None if beside.guide is None else asdict(beside.guide),
        "notes": notes(case, figures),
        "repeats": [_repeat(repeat) for repeat in repeats],
    }


def measured_figures(figures: Sequence[Figures]) -> dict[str, Json]:
    """Each figure by its name (``ttft_p99_s``): mean, low, high, repeats. None known: left out."""
    rows = [_flat(each) for each in figures]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: asdict(interval([row[name] for row in rows if name in row])) for name in names}


def _flat(figures: Figures) -> dict[str, float]:
    flat: dict[str, float] = {}
    for time in _TIMES:
        spread: Spread | None = getattr(figures, time)
        if spread is not None:
            flat |= {f"{time}_{each}_s": getattr(spread, each) for each in _SPREADS}
    rates = {name: getattr(figures, name) for name in _RATES}
    return flat | {name: value for name, value in rates.items() if value is not None}


def notes(case: Case, figures: Sequence[Figures]) -> list[str]:
    """What speaks against taking the figures as they stand."""
    said = []
    if case.shortened_to is not None:
        said.append(f"Shortened: this model takes {case.shortened_to:,} tokens at most.")
    if failed := sum(each.failed for each in figures):
        said.append(f"{failed:,} requests failed; they are in no latency.")
    if _is_wide(figures):
        said.append("The repeats differ so much that their mean tells little: measure again.")
    if any(_is_late(each) for each in figures):
        said.append("The client itself woke late: times as short as these are in doubt.")
    if any(_is_busy(each) for each in figures):
        said.append("The client needed most of a core: the engine may be faster than shown.")
    return said


def _is_wide(figures: Sequence[Figures]) -> bool:
    rates = [each.output_tokens_per_s for each in figures]
    if len(rates) < 2:
        return False
    found = interval(rates)
    return found.high is not None and found.high - found.mean > WIDE_SHARE * found.mean


def _is_busy(figures: Figures) -> bool:
    return figures.client_share > BUSY_SHARE and figures.seconds > SHORTEST_S


def _is_late(figures: Figures) -> bool:
    shortest = [each.p50 for each in (figures.ttft, figures.tpot) if each is not None]
    lag = figures.lag_p99_s
    return lag is not None and bool(shortest) and lag > max(LATE_SHARE * max(shortest), 0.002)


def _repeat(repeat: Repeat) -> Json:
    figures = repeat.figures
    return {
        "broken": repeat.broken,
        "seconds": round(figures.seconds, 6),
        "client": {
            "lag_p99_s": figures.lag_p99_s, "share_of_a_core": round(figures.client_share, 4)
        },
        "requests": {
            "columns": ["due_s", "ttft_s", "tpot_s", "e2e_s", "prompt", "output", "error"],
            "rows": [_request(sample, repeat.began_s) for sample in repeat.samples],
        },
    }  # fmt: skip


def _request(sample: Sample, began_s: float) -> list[Any]:
    times = (sample.due_s - began_s, sample.ttft_s, sample.tpot_s, sample.e2e_s)
    rounded = [None if each is None else round(each, 6) for each in times]
    return [*rounded, sample.prompt_tokens, sample.tokens, sample.error]
