"""Ended instances that drivers still remember: their order, and which are to be forgotten. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator

from sparkwell.core.launch import ExitRecord, LaunchSpec

Ended = tuple[LaunchSpec, ExitRecord]


def latest_first(
    both: Iterable[tuple[LaunchSpec | None, ExitRecord | None]],
) -> list[Ended]:
    """The pairs that are whole, the latest end first."""
    known = [(spec, record) for spec, record in both if spec and record]
    return sorted(known, key=lambda pair: pair[1].ended_at, reverse=True)


def surplus(ended: Iterable[Ended], keep_per_model: int) -> Iterator[str]:
    """The ids of all but the latest few of each model; ``ended`` has the latest first."""
    seen: Counter[str] = Counter()
    for spec, _ in ended:
        seen[spec.model] += 1
        if seen[spec.model] > keep_per_model:
            yield spec.instance
