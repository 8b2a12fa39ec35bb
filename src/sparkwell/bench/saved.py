"""What a prefix cache saved: a document that stands first, beside prompts that share nothing. Pure.

Told from the cases of a run's document, so runs of earlier versions tell it too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkwell.bench.comparing import by_figure
from sparkwell.bench.intervals import Ratio, middle_of, ratio

Json = Mapping[str, Any]
FIGURES = ("ttft_p50_s", "output_tokens_per_s")


@dataclass(frozen=True, slots=True)
class Saved:
    """One figure with nothing shared and with the document first, geometric means; their ratio.

    The ratio is of ``shared`` to ``nothing``; for a first token less is saved, for tokens/s more.
    """

    case: str
    beside: str
    figure: str
    nothing: float
    shared: float
    ratio: Ratio


def saved(cases: Sequence[Json]) -> list[Saved]:
    """Of each case with a document first that has one beside it with nothing shared."""
    return [
        found
        for case in cases
        if _is_shared(case)
        for other in cases
        if _is_same_unshared(case, other)
        for found in _beside(case, other)
    ]


def saved_json(cases: Sequence[Json]) -> list[dict[str, Any]]:
    """The same, as it stands in a document."""
    return [
        {
            "case": each.case, "beside": each.beside, "figure": each.figure,
            "nothing_shared": each.nothing, "document_first": each.shared,
            "ratio": each.ratio.value, "low": each.ratio.low, "high": each.ratio.high,
            "verdict": each.ratio.verdict,
        }
        for each in saved(cases)
    ]  # fmt: skip


def caching_is_off(flags: Json | None) -> bool:
    """Whether the engine was told so; not known is not off."""
    return flags is not None and flags.get("enable_prefix_caching") is False


def _is_shared(case: Json) -> bool:
    work = case["workload"]
    return bool(work["document_tokens"]) and work["order"] == "document first"


def _is_same_unshared(case: Json, other: Json) -> bool:
    """The same requests, but for what they share."""
    unshared = {**case["workload"], "document_tokens": 0}
    alike = all(case[name] == other[name] for name in ("clients", "rate"))
    return alike and bool(other["workload"] == unshared)


def _beside(case: Json, other: Json) -> Iterator[Saved]:
    with_it, without = by_figure(case["repeats"]), by_figure(other["repeats"])
    for figure in FIGURES:
        ours, theirs = with_it.get(figure, []), without.get(figure, [])
        if (told := ratio(theirs, ours)) is not None:
            middles = middle_of(theirs), middle_of(ours)
            yield Saved(case["name"], other["name"], figure, *middles, told)
