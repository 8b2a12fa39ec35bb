"""The tables of a run, as text: for the terminal, for the page, for the dashboard. Pure."""

import time
from collections.abc import Mapping
from typing import Any

from sparkwell.bench.intervals import Ratio
from sparkwell.bench.run_document import mean_of
from sparkwell.bench.saved import Saved, caching_is_off, saved
from sparkwell.core.figure_names import FIGURES

Json = Mapping[str, Any]
UNKNOWN = "-"
_RATE = "output_tokens_per_s"
_TIMES = ("ttft_p50_s", "ttft_p99_s", "tpot_p50_s", "tpot_p99_s")


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
    head = [
        "CASE", "PROMPT, ANSWER", "OUTPUT TOKENS/S", "REQUESTS/S", "TTFT P50", "P99", "TPOT P50",
        "P99", *(["WITHIN THE SLO"] if goodput else []),
    ]  # fmt: skip
    return [head, *(_row(case, goodput=goodput) for case in document["cases"])]


def _row(case: Json, *, goodput: bool) -> list[str]:
    found = case["measured"]
    times = [_time(found.get(name)) for name in _TIMES]
    row = [case["name"], _lengths(case), _rate(found.get(_RATE))]
    row += [_rate(found.get("requests_per_s")), *times]
    return [*row, _good(found)] if goodput else row


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


def _rate(interval: Json | None) -> str:
    if interval is None:
        return UNKNOWN
    mean, low = interval["mean"], interval["low"]
    digits = 0 if mean >= 1000 else 1 if mean >= 10 else 2
    half = "" if low is None else f" ±{mean - low:,.{digits}f}"
    return f"{mean:,.{digits}f}{half}"


def _time(interval: Json | None) -> str:
    return UNKNOWN if interval is None else seconds(interval["mean"])


def seconds(value: float) -> str:
    """As people say it: 4.1 ms, 212 ms, 16.9 s."""
    if value >= 1:
        return f"{value:,.2f} s"
    return f"{1000 * value:.0f} ms" if value >= 0.1 else f"{1000 * value:.1f} ms"


def beside_table(document: Json) -> list[list[str]]:
    """Head and rows: measured, planned, the guide's claim, the roofline, where any is known."""
    head = ["CASE", "MEASURED", "PLANNED", "OFF BY", "ROOFLINE", "OF IT", "THE GUIDE (SPARK)"]
    known = [case for case in document["cases"] if case["planned"] or case["guide"]]
    return [head, *map(_expected, known)]


def _expected(case: Json) -> list[str]:
    planned, guide = case["planned"] or {}, case["guide"]
    interval, got = case["measured"].get(_RATE), mean_of(case, _RATE)
    plan, most = planned.get("tokens_per_s"), planned.get("limit_tokens_per_s")
    claim = UNKNOWN if guide is None else _range(guide["low"], guide["high"])
    off = f"{plan / got - 1:+.0%}" if got and plan else UNKNOWN
    share = UNKNOWN if got is None or not most else f"{got / most:.0%}"
    return [case["name"], _rate(interval), plain(plan), off, plain(most), share, claim]


def _range(low: float, high: float) -> str:
    return f"{low:,g}" if low == high else f"{low:,g} to {high:,g}"


def plain(value: float | None) -> str:
    """A rate, as precise as it is worth."""
    return UNKNOWN if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def saved_table(document: Json) -> list[list[str]]:
    """Head and rows: what a document that stands first saves, beside nothing shared."""
    head = ["", "NOTHING SHARED", "DOCUMENT FIRST", "RATIO", "95 %", "VERDICT"]
    return [head, *map(_saved, saved(document["cases"]))]


def _saved(row: Saved) -> list[str]:
    shown = seconds if row.figure == "ttft_p50_s" else plain
    told = row.ratio
    values = [FIGURES[row.figure], shown(row.nothing), shown(row.shared), f"{told.value:.3f}"]
    return [*values, interval_text(told), _verdict(told)]


def interval_text(told: Ratio) -> str:
    """Its ends."""
    return UNKNOWN if told.low is None else f"{told.low:.3f} to {told.high:.3f}"


def _verdict(told: Ratio) -> str:
    if told.verdict not in ("more", "less"):
        return told.verdict
    return f"{abs(told.value - 1):.0%} {told.verdict}"
