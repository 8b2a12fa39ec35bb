"""Two runs beside each other: a ratio with its interval, and a verdict only where it is one. Pure.

The repeats are the samples, so each figure is computed again from the requests of each repeat.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkwell.bench.figures import percentile
from sparkwell.bench.intervals import Ratio, ratio
from sparkwell.core.errors import UsageError

Json = Mapping[str, Any]
LESS_IS_BETTER = ("ttft", "tpot", "e2e")
_PERCENTILES = {"p50": 50.0, "p99": 99.0}


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of one case in both runs; ``better`` is None where no difference is shown."""

    case: str
    figure: str
    before: float
    after: float
    ratio: Ratio

    @property
    def better(self) -> bool | None:
        """Whether the second run is the better one."""
        if self.ratio.verdict not in ("more", "less"):
            return None
        wants_less = self.figure.startswith(LESS_IS_BETTER)
        return (self.ratio.verdict == "less") == wants_less


def compare(before: Json, after: Json) -> list[Compared]:
    """The figures of all cases that both runs measured alike; raises UsageError without any."""
    pairs = [
        (one, other) for one in before["cases"] for other in after["cases"] if _alike(one, other)
    ]
    if not pairs:
        raise UsageError(
            f"{before['run']} and {after['run']} have no case in common.",
            hint="Cases are the same where their workload and their clients, or rate, are.",
        )
    return [each for one, other in pairs for each in _case(one, other)]


def _alike(one: Json, other: Json) -> bool:
    return all(one[name] == other[name] for name in ("workload", "clients", "rate"))


def _case(before: Json, after: Json) -> list[Compared]:
    ours, theirs = (by_figure(case["repeats"]) for case in (before, after))
    found = []
    for name in ours:
        if name in theirs and (told := ratio(ours[name], theirs[name])) is not None:
            means = [sum(each) / len(each) for each in (ours[name], theirs[name])]
            found.append(Compared(str(before["name"]), name, means[0], means[1], told))
    return found


def by_figure(repeats: Sequence[Json]) -> dict[str, list[float]]:
    """Each figure's value in each repeat that is whole."""
    rows = [_figures(repeat) for repeat in repeats if not repeat["broken"]]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row[name] for row in rows if name in row] for name in names}


def _figures(repeat: Json) -> dict[str, float]:
    columns = repeat["requests"]["columns"]
    requests = [dict(zip(columns, row, strict=True)) for row in repeat["requests"]["rows"]]
    good = [each for each in requests if each["error"] is None]
    if not good or not repeat["seconds"]:
        return {}
    found = {"output_tokens_per_s": sum(each["output"] for each in good) / repeat["seconds"]}
    for time in LESS_IS_BETTER:
        ordered = sorted(each[f"{time}_s"] for each in good if each[f"{time}_s"] is not None)
        if ordered:
            found |= {
                f"{time}_{name}_s": percentile(ordered, at) for name, at in _PERCENTILES.items()
            }
    return found
