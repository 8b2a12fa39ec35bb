"""A run's figures beside what was expected of them, and all its tables in their order. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from sparkwell.bench.intervals import Ratio
from sparkwell.bench.run_document import mean_of
from sparkwell.bench.saved import Saved, saved
from sparkwell.bench.tables import (
    RATE,
    UNKNOWN,
    answers_table,
    interval_text,
    measured_table,
    plain,
    rate_text,
    seconds,
    time_text,
    times_table,
)
from sparkwell.core.figure_names import FIGURES

Json = Mapping[str, Any]
Table = list[list[str]]
_FIRST = "ttft_p50_s"
_GUIDE = "THE GUIDE (SPARK)"


def tables(document: Json) -> list[tuple[str, Table]]:
    """Every table that has rows, with its title; the first is of what was measured."""
    found = [
        ("Measured", measured_table(document)),
        ("Time to a first token, and for each after it", times_table(document)),
        ("Whole answers, gaps between events, tokens of prompts too", answers_table(document)),
        ("Output tokens a second, beside what was expected", beside_table(document)),
        ("First token (p50), beside what was expected", first_table(document)),
        ("What the shared document saved", saved_table(document)),
    ]
    return [(title, rows) for title, rows in found if len(rows) > 1]


def beside_table(document: Json) -> Table:
    """Head and rows: measured, planned, the guide's claim, the roofline, where any is known."""
    head = ["CASE", "MEASURED", "PLANNED", "OFF BY", "ROOFLINE", "OF IT", _GUIDE]
    known = [case for case in document["cases"] if case["planned"] or case["guide"]]
    return [head, *map(_expected, known)]


def _expected(case: Json) -> list[str]:
    planned, got = case["planned"] or {}, mean_of(case, RATE)
    plan, most = planned.get("tokens_per_s"), planned.get("limit_tokens_per_s")
    share = UNKNOWN if got is None or not most else f"{got / most:.0%}"
    measured = rate_text(case["measured"].get(RATE))
    row = [case["name"], measured, plain(plan), _off(plan, got), plain(most), share]
    return [*row, _claimed(case["guide"], _number)]


def first_table(document: Json) -> Table:
    """Head and rows: first tokens as they were measured, planned and claimed."""
    head = ["CASE", "MEASURED", "PLANNED", "OFF BY", _GUIDE]
    known = [case for case in document["cases"] if _planned_first(case) or case.get("guide_ttft")]
    return [head, *map(_first, known)]


def _first(case: Json) -> list[str]:
    plan, got = _planned_first(case), mean_of(case, _FIRST)
    measured = time_text(case["measured"].get(_FIRST))
    planned = UNKNOWN if plan is None else seconds(plan)
    claim = _claimed(case.get("guide_ttft"), seconds)
    return [case["name"], measured, planned, _off(plan, got), claim]


def _planned_first(case: Json) -> float | None:
    found: float | None = (case["planned"] or {}).get("ttft_s")
    return found


def _off(plan: float | None, got: float | None) -> str:
    return f"{plan / got - 1:+.0%}" if got and plan else UNKNOWN


def _claimed(guide: Json | None, shown: Callable[[float], str]) -> str:
    """The claim's range, then those of claims that say otherwise."""
    if guide is None:
        return UNKNOWN
    return "; ".join(_range(each, shown) for each in (guide, *guide.get("others", ())))


def _range(claim: Json, shown: Callable[[float], str]) -> str:
    low, high = shown(claim["low"]), shown(claim["high"])
    return low if low == high else f"{low} to {high}"


def _number(value: float) -> str:
    return f"{value:,g}"


def saved_table(document: Json) -> Table:
    """Head and rows: what a document that stands first saves, beside nothing shared."""
    claims = {case["name"]: case.get("guide_saved") for case in document["cases"]}
    more = [_GUIDE] if any(claims.values()) else []
    head = ["", "NOTHING SHARED", "DOCUMENT FIRST", "RATIO", "95 %", "VERDICT", *more]
    rows = [(row, claims[row.case]) for row in saved(document["cases"])]
    return [head, *([*_saved(row), *_saving(row, claim)[: len(more)]] for row, claim in rows)]


def _saved(row: Saved) -> list[str]:
    shown = seconds if row.figure == _FIRST else plain
    told = row.ratio
    values = [FIGURES[row.figure], shown(row.nothing), shown(row.shared), f"{told.value:.3f}"]
    return [*values, interval_text(told), _verdict(told)]


def _saving(row: Saved, claim: Json | None) -> list[str]:
    if row.figure != _FIRST or claim is None:
        return [UNKNOWN]
    return [f"{_claimed(claim, lambda share: f'{share:.0%}')} less"]


def _verdict(told: Ratio) -> str:
    if told.verdict not in ("more", "less"):
        return told.verdict
    return f"{abs(told.value - 1):.0%} {told.verdict}"
