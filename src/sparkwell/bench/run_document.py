"""A run's document as it is read again; ``report`` writes it. Pure."""

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]


def requests_of(repeat: Json) -> list[dict[str, Any]]:
    """Its requests, each by the names of the columns."""
    columns, rows = repeat["requests"]["columns"], repeat["requests"]["rows"]
    return [dict(zip(columns, row, strict=True)) for row in rows]


def failed_in(document: Json) -> int:
    """Requests of all cases that got no whole answer."""
    return sum(int(case["failed"]) for case in document["cases"])


def mean_of(case: Json, figure: str) -> float | None:
    """A figure's mean over the repeats; None where nobody could take it."""
    found = case["measured"].get(figure)
    return None if found is None else float(found["mean"])
