"""Which models were asked for lately, and what of the machine is left to them.

A model that takes all that is free makes every other one wait for a switch. So where requests
have asked for several within an hour, and all of them fit at their least, each start takes its
least and an equal part of the rest: the second one then fits beside the first.
"""

from collections.abc import Callable
from dataclasses import replace

from sparkwell.supervisor.terms import Terms

LATELY_S = 3600.0
_WORTHWHILE = 20
"""Beside each other, each of them has 1/20 of the machine above its least: else they take turns."""


class Lately:
    """Remembers who was asked for. ``now`` is a monotonic clock, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._asked: dict[str, tuple[float, Terms]] = {}

    def shared(self, model: str, terms: Terms, total_bytes: int | None) -> Terms:
        """The terms of a model that is asked for now: with no more than its part."""
        others = self._others(model)
        self._asked[model] = self._now(), terms
        if None in (total_bytes, terms.least_bytes, terms.most_bytes):
            return terms
        return _with_its_part(terms, others, total_bytes or 0)

    def _others(self, model: str) -> list[Terms]:
        """Those that were asked for within the time, the latest first."""
        oldest = self._now() - LATELY_S
        self._asked = {name: each for name, each in self._asked.items() if each[0] >= oldest}
        found = [each for name, each in self._asked.items() if name != model]
        return [terms for _, terms in sorted(found, key=lambda each: -each[0])]


def _with_its_part(terms: Terms, others: list[Terms], total: int) -> Terms:
    together = [terms]
    for each in others:
        if each.least_bytes is not None and _part([*together, each], total) is not None:
            together.append(each)
    part = _part(together, total)
    if len(together) == 1 or part is None:
        return terms
    least, most = terms.least_bytes or 0, terms.most_bytes or 0
    return replace(terms, most_bytes=min(most, least + part))


def _part(together: list[Terms], total: int) -> int | None:
    """What each gets above its least; None where they had better take turns."""
    rest = total - sum(each.least_bytes or 0 for each in together)
    growing = [each for each in together if each.least_bytes != each.most_bytes]
    part = rest // max(1, len(growing))
    return part if rest >= 0 and (not growing or part * _WORTHWHILE >= total) else None
