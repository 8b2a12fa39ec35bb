"""Several runs of the same cases side by side, and which is the best where that was shown. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from sparkwell.bench.comparing import Compared, by_figure, compare
from sparkwell.bench.intervals import middle_of
from sparkwell.core.errors import UsageError

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one case in every run, None where a run has none.

    ``best`` is the place of the run that `compare` calls better than each other; None where no run
    is.
    """

    case: str
    figure: str
    values: tuple[float | None, ...]
    best: int | None


def side_by_side(runs: Sequence[Json], figures: Sequence[str]) -> list[Row]:
    """A row for each case of the first run and each of the figures that any run has of it."""
    better, found = _better(runs), []
    for case in [str(each["name"]) for each in runs[0]["cases"]]:
        told = [_means(run, case) for run in runs]
        for figure in figures:
            values = tuple(each.get(figure) for each in told)
            if any(value is not None for value in values):
                found.append(Row(case, figure, values, _best(better, case, figure, values)))
    return found


def _means(run: Json, case: str) -> dict[str, float]:
    """Geometric, as `compare` has them, of the repeats that are whole."""
    repeats = next((each["repeats"] for each in run["cases"] if each["name"] == case), ())
    return {name: middle_of(of) for name, of in by_figure(repeats).items() if of}


Better = frozenset[tuple[int, int, str, str]]


def _better(runs: Sequence[Json]) -> Better:
    """Which run is better than which other, beyond chance, in which figure of which case."""
    return frozenset(
        (one, other, row.case, row.figure)
        for one, other in permutations(range(len(runs)), 2)
        for row in _compared(runs[other], runs[one])
        if row.better is True
    )


def _compared(before: Json, after: Json) -> list[Compared]:
    """None where they were asked nothing alike."""
    try:
        return compare(before, after)
    except UsageError:
        return []


def _best(better: Better, case: str, figure: str, values: Sequence[float | None]) -> int | None:
    """None where a run has not that figure; and nobody is the best alone."""
    places = range(len(values)) if len(values) > 1 and None not in values else ()
    for one in places:
        if all((one, other, case, figure) in better for other in places if other != one):
            return one
    return None
