"""The tables of a run, as text: for the terminal, for the page, for the dashboard. Pure."""

import time
from collections.abc import Mapping
from typing import Any

from sparkwell.bench.intervals import Ratio
from sparkwell.bench.saved import caching_is_off

Json = Mapping[str, Any]
UNKNOWN = "-"
RATE = "output_tokens_per_s"


def title(document: Json) -> str:
    """What was measured, where, when."""
    versions = document["versions"]
    engine = f"{versions.get('engine') or 'an engine'} {versions.get('engine_version') or ''}"
    known = document["machine"]
    machine = known.get("title") or known.get("name") or "unknown machine"
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(document["at"]))
    caching = ", prefix caching off" if caching_is_off(document["flags"]) else ""
    what = f"{document['model']}, suite {document['suite']}, {engine.strip()}{caching}"
    return f"{what}, {machine}, {when}"


def measured_table(document: Json) -> list[list[str]]:
    """Head and rows: what came of each case."""
    goodput = any("goodput" in case["measured"] for case in document["cases"])
    more = ["WITHIN THE SLO"] if goodput else []
    head = ["CASE", "PROMPT, ANSWER", "OUTPUT TOKENS/S", "REQUESTS/S", *more]
    return [head, *(_row(case, goodput=goodput) for case in document["cases"])]


def _row(case: Json, *, goodput: bool) -> list[str]:
    found = case["measured"]
    row = [case["name"], _lengths(case), rate_text(found.get(RATE))]
    row.append(rate_text(found.get("requests_per_s")))
    return [*row, _good(found)] if goodput else row


def times_table(document: Json) -> list[list[str]]:
    """Head and rows: how long a first token takes, and each after it."""
    head = ["CASE", "TTFT P50", "P99", "TPOT P50", "P99"]
    return [head, *([case["name"], *_times(case, "ttft", "tpot")] for case in document["cases"])]


def answers_table(document: Json) -> list[list[str]]:
    """Head and rows: whole answers, the gaps in them, and tokens of prompts and answers."""
    head = ["CASE", "ANSWER P50", "P99", "ITL P50", "P99", "ALL TOKENS/S"]
    return [head, *map(_answers, document["cases"])]


def _answers(case: Json) -> list[str]:
    total = rate_text(case["measured"].get("total_tokens_per_s"))
    return [case["name"], *_times(case, "e2e", "itl"), total]


def _times(case: Json, *names: str) -> list[str]:
    found = case["measured"]
    return [time_text(found.get(f"{name}_{at}_s")) for name in names for at in ("p50", "p99")]


def _lengths(case: Json) -> str:
    """In tokens: what was asked for; what the server counted, where that is not exact."""
    if (counted := case.get("lengths")) is None:
        return f"{case['workload']['prompt_tokens']:,}, {case['workload']['output_tokens']:,}"
    means = (counted["prompt_tokens"], counted["output_tokens"])
    return ", ".join(UNKNOWN if mean is None else f"~{mean:,.0f}" for mean in means)


def _good(found: Json) -> str:
    if "good_share" not in found:
        return UNKNOWN
    return f"{found['good_share']['mean']:.0%}, {found['goodput']['mean']:.2f}/s"


def rate_text(interval: Json | None) -> str:
    """A rate with half of its interval."""
    if interval is None:
        return UNKNOWN
    mean, low = interval["mean"], interval["low"]
    digits = 0 if mean >= 1000 else 1 if mean >= 10 else 2
    half = "" if low is None else f" ±{mean - low:,.{digits}f}"
    return f"{mean:,.{digits}f}{half}"


def time_text(interval: Json | None) -> str:
    """A time with half of its interval, both in the unit of the one: 319 ±12 ms."""
    if interval is None:
        return UNKNOWN
    if (low := interval["low"]) is None:
        return seconds(interval["mean"])
    number, unit = seconds(interval["mean"]).split()
    digits = len(number.partition(".")[2])
    half = (interval["mean"] - low) * (1 if unit == "s" else 1000)
    return f"{number} ±{half:,.{digits}f} {unit}"


def seconds(value: float) -> str:
    """As people say it: 4.1 ms, 212 ms, 16.9 s."""
    if value >= 1:
        return f"{value:,.2f} s"
    return f"{1000 * value:.0f} ms" if value >= 0.1 else f"{1000 * value:.1f} ms"


def plain(value: float | None) -> str:
    """A rate, as precise as it is worth."""
    return UNKNOWN if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def interval_text(told: Ratio) -> str:
    """Its ends."""
    return UNKNOWN if told.low is None else f"{told.low:.3f} to {told.high:.3f}"
