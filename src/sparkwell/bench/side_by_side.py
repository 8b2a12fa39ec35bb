"""Several runs of the same cases side by side, and which is the best where that was shown. Pure."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sparkwell.bench.comparing import by_figure, compare
from sparkwell.bench.intervals import middle_of
from sparkwell.core.errors import UsageError
from sparkwell.core.figure_names import wants_less

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one case in every run, None where a run has none.

    ``best`` is the place of the run that is better than each other by its interval; None where no
    run is.
    """

    case: str
    figure: str
    values: tuple[float | None, ...]
    best: int | None


def side_by_side(runs: Sequence[Json], figures: Sequence[str]) -> list[Row]:
    """A row for each case of the first run and each of the figures that any run has of it."""
    found = []
    for case in runs[0]["cases"]:
        told = [_means(run, case["name"]) for run in runs]
        for figure in figures:
            values = tuple(each.get(figure) for each in told)
            if any(value is not None for value in values):
                best = _best(runs, case["name"], figure, values)
                found.append(Row(case["name"], figure, values, best))
    return found


def _means(run: Json, case: str) -> dict[str, float]:
    """Geometric, as `compare` has them, of the repeats that are whole."""
    repeats = next((each["repeats"] for each in run["cases"] if each["name"] == case), ())
    return {name: middle_of(of) for name, of in by_figure(repeats).items() if of}


def _best(
    runs: Sequence[Json], case: str, figure: str, values: Sequence[float | None]
) -> int | None:
    known = {place: value for place, value in enumerate(values) if value is not None}
    if len(known) < len(runs):
        return None
    first = (min if wants_less(figure) else max)(known, key=lambda place: known[place])
    others = [run for place, run in enumerate(runs) if place != first]
    shown = all(_is_better(other, runs[first], case, figure) for other in others)
    return first if shown else None


def _is_better(before: Json, after: Json, case: str, figure: str) -> bool:
    """Whether the second run is the better one, beyond chance; not where it was asked otherwise."""
    with suppress(UsageError):
        rows = compare(before, after)
        return any(row.better is True for row in rows if (row.case, row.figure) == (case, figure))
    return False
