"""Usage added up as the page shows it: by key, by key and model, by day."""

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sparkwell.web.key_values import KeyCourse, UsageLine, Used
from sparkwell.web.values import Json

T = TypeVar("T", bound=Hashable)
MOST_COURSES = 6
"""As many as there are colours; of more keys the rest is one."""
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Row:
    """What one key used of one model on one day.

    ``key`` is its name, its id where its name is forgotten, and "" for requests without one.
    """

    day: str
    key: str
    key_id: str | None
    model: str
    used: Used


def row_of(entry: Json) -> Row:
    """An entry of the document of usage."""
    key, key_id = entry["key"], entry["key_id"]
    counts = ("requests", "errors", "prompt_tokens", "output_tokens", "uncounted")
    used = Used(**{name: entry[name] for name in counts})
    return Row(entry["day"], key or key_id or "", key_id, entry["model"], used)


def sum_of(rows: Iterable[Row]) -> Used:
    """All of it."""
    requests = errors = prompt = output = uncounted = 0
    for used in (row.used for row in rows):
        requests += used.requests
        errors += used.errors
        prompt += used.prompt_tokens
        output += used.output_tokens
        uncounted += used.uncounted
    return Used(requests, errors, prompt, output, uncounted)


def by_key(rows: Iterable[Row], days: Collection[str]) -> dict[str | None, Used]:
    """What each key used on these days, by its id."""
    return _summed((row for row in rows if row.day in days), lambda row: row.key_id)


def lines(rows: Iterable[Row]) -> tuple[UsageLine, ...]:
    """What each key used of each model, the most tokens first."""
    sums = _summed(rows, lambda row: (row.key, row.model))
    found = (UsageLine(key, model, used) for (key, model), used in sums.items())
    return tuple(sorted(found, key=lambda line: (*_most(line.used), line.key, line.model)))


def of_days(rows: Iterable[Row], days: Iterable[str]) -> tuple[Used, ...]:
    """What was used on each of the days."""
    sums = _summed(rows, lambda row: row.day)
    return tuple(sums.get(day, Used()) for day in days)


def courses(rows: Sequence[Row], days: Sequence[str]) -> tuple[KeyCourse, ...]:
    """What each key used day by day, who used most first; beyond MOST_COURSES all others as one."""
    sums = _summed(rows, lambda row: row.key)
    order = sorted(sums, key=lambda key: (*_most(sums[key]), key))
    alone = order if len(order) <= MOST_COURSES else order[: MOST_COURSES - 1]
    found = [
        KeyCourse(key, of_days([row for row in rows if row.key == key], days)) for key in alone
    ]
    rest = [row for row in rows if row.key not in alone]
    return (*found, *([KeyCourse(OTHERS, of_days(rest, days))] if rest else []))


def _summed(rows: Iterable[Row], name: Callable[[Row], T]) -> dict[T, Used]:
    found: dict[T, list[Row]] = {}
    for row in rows:
        found.setdefault(name(row), []).append(row)
    return {each: sum_of(rows) for each, rows in found.items()}


def _most(used: Used) -> tuple[int, int]:
    return -used.tokens, -used.requests
