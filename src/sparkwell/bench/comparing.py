"""Two runs beside each other: a ratio with its interval, and a verdict only where it is one. Pure.

The repeats are the samples, so each figure is computed again from the requests of each repeat.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sparkwell.bench.figures import percentile
from sparkwell.bench.intervals import Ratio, middle_of, ratio
from sparkwell.bench.notes import doubts
from sparkwell.bench.run_document import requests_of
from sparkwell.bench.significance import holm
from sparkwell.core.errors import UsageError
from sparkwell.core.figure_names import wants_less

Json = Mapping[str, Any]
Verdict = Literal[
    "more", "less", "too small to matter", "no difference shown", "too few repeats", "in doubt",
    "not to be compared",
]  # fmt: skip
LEAST_EFFECT = 0.02
"""A smaller difference is none: the client itself is tested to be right within 2 %, not nearer."""
CHANCE = 0.05
"""How often a comparison of two runs of the same may call anything better or worse."""
_TIMES = ("ttft", "tpot", "e2e")
_PERCENTILES = {"p50": 50.0, "p99": 99.0}


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of one case in both runs; ``better`` is None where no difference is shown.

    ``before`` and ``after`` are the geometric means that ``ratio`` is of, None where a run has not
    that figure. ``ratio`` is None where one of them is 0, or missing.
    """

    case: str
    figure: str
    before: float | None
    after: float | None
    ratio: Ratio | None
    verdict: Verdict

    @property
    def better(self) -> bool | None:
        """Whether the second run is the better one."""
        if self.verdict not in ("more", "less"):
            return None
        return (self.verdict == "less") == wants_less(self.figure)


def compare(before: Json, after: Json) -> list[Compared]:
    """The figures of all cases that both runs measured alike; raises UsageError without any."""
    return _for_all([row for pair in _pairs(before, after) for row in _case(*pair)])


def noted(before: Json, after: Json) -> list[str]:
    """What either run says of the cases that are compared: case, run, note."""
    return [
        f"{one['name']}, {run['run']}: {note}"
        for one, other in _pairs(before, after)
        for run, case in ((before, one), (after, other))
        for note in case["notes"]
    ]


def _pairs(before: Json, after: Json) -> list[tuple[Json, Json]]:
    pairs = [
        (one, other) for one in before["cases"] for other in after["cases"] if _alike(one, other)
    ]
    if not pairs:
        raise UsageError(
            f"{before['run']} and {after['run']} have no case in common.",
            hint="Cases are the same where their workload and their clients, or rate, are.",
        )
    return pairs


def _alike(one: Json, other: Json) -> bool:
    return all(one[name] == other[name] for name in ("workload", "clients", "rate"))


def _case(before: Json, after: Json) -> Iterator[Compared]:
    ours, theirs = (by_figure(case["repeats"]) for case in (before, after))
    doubtful = bool(doubts(before) or doubts(after))
    for name in {**ours, **theirs}:
        one, other = ours.get(name, []), theirs.get(name, [])
        told = ratio(one, other)
        middles = [middle_of(each) if each else None for each in (one, other)]
        alone = "in doubt" if doubtful else told.verdict if told else "not to be compared"
        yield Compared(str(before["name"]), name, middles[0], middles[1], told, alone)


def _for_all(rows: Sequence[Compared]) -> list[Compared]:
    """With allowance for how many figures are told at once; those in doubt tell nothing."""
    ps = {
        at: row.ratio.p
        for at, row in enumerate(rows)
        if row.verdict != "in doubt" and row.ratio is not None and row.ratio.p is not None
    }
    allowed = dict(zip(ps, holm(list(ps.values())), strict=True))
    return [_judged(row, allowed[at]) if at in allowed else row for at, row in enumerate(rows)]


def _judged(row: Compared, p: float) -> Compared:
    assert row.ratio is not None  # noqa: S101 - it has a p
    if p >= CHANCE:
        return replace(row, verdict="no difference shown")
    if 1 / (1 + LEAST_EFFECT) < row.ratio.value < 1 + LEAST_EFFECT:
        return replace(row, verdict="too small to matter")
    return replace(row, verdict="more" if row.ratio.value > 1 else "less")


def by_figure(repeats: Sequence[Json]) -> dict[str, list[float]]:
    """Each figure's value in each repeat that is whole."""
    rows = [_figures(repeat) for repeat in repeats if not repeat["broken"]]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row[name] for row in rows if name in row] for name in names}


def _figures(repeat: Json) -> dict[str, float]:
    good = [each for each in requests_of(repeat) if each["error"] is None]
    if not repeat["requests"]["rows"] or not repeat["seconds"]:
        return {}
    found = {"output_tokens_per_s": sum(each["output"] for each in good) / repeat["seconds"]}
    for time in _TIMES:
        ordered = sorted(each[f"{time}_s"] for each in good if each[f"{time}_s"] is not None)
        if ordered:
            found |= {
                f"{time}_{name}_s": percentile(ordered, at) for name, at in _PERCENTILES.items()
            }
    return found
