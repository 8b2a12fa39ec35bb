"""What was used, counted in memory: by day, key and model for the store, in all for /metrics."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from sparkwell.core.keys import UsageRow

MOST_SERIES = 2000
"""Pairs of key and model that are told apart in all; Prometheus pays for each."""
OTHER = "(other)"
"""Key and model of the pairs beyond; no key and no model is called so."""
_DAY_S = 86_400.0


class Used:
    """What one key's requests for one model used. ``codes`` counts requests by status.

    ``uncounted`` are those of which the tokens are not known: well answered ones, and ``errors``
    that were lost while they were answered.
    """

    __slots__ = ("codes", "errors", "output_tokens", "prompt_tokens", "requests", "uncounted")

    def __init__(self) -> None:
        self.requests = self.errors = self.uncounted = 0
        self.prompt_tokens = self.output_tokens = 0
        self.codes: dict[int, int] = {}

    def add(self, status: int, prompt_tokens: int | None, output_tokens: int | None) -> None:
        """Count one request; ``status`` 0: there was no answer."""
        self.requests += 1
        self.codes[status] = self.codes.get(status, 0) + 1
        if status >= 400 or status == 0:
            self.errors += 1
        elif prompt_tokens is None and output_tokens is None:
            self.uncounted += 1
        if prompt_tokens is not None:
            self.prompt_tokens += prompt_tokens
        if output_tokens is not None:
            self.output_tokens += output_tokens

    def lose(self) -> None:
        """Count one request that was being answered by somebody who has gone."""
        self.add(0, None, None)
        self.uncounted += 1

    def add_all(self, other: "Used") -> None:
        """Count what was counted elsewhere."""
        self.requests += other.requests
        self.errors += other.errors
        self.uncounted += other.uncounted
        self.prompt_tokens += other.prompt_tokens
        self.output_tokens += other.output_tokens
        for status, count in other.codes.items():
            self.codes[status] = self.codes.get(status, 0) + count


Pair = tuple[str, str]
"""A key's id (empty: no key) and a model."""


class Tally:
    """Counts each request once; ``now`` is Unix time in seconds. Days are those of UTC."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._today: dict[Pair, Used] = {}
        self._day, self._day_from, self._day_to = "", 0.0, 0.0
        self._earlier: list[UsageRow] = []
        self._totals: dict[Pair, Used] = {}
        self._refused: Counter[tuple[str, str]] = Counter()

    def add(
        self,
        key_id: str,
        model: str,
        status: int,
        prompt_tokens: int | None,
        output_tokens: int | None,
    ) -> None:
        """Count a request that has ended."""
        self._used(key_id, model).add(status, prompt_tokens, output_tokens)

    def lose(self, key_id: str, model: str) -> None:
        """Count a request whose end nobody saw who could count."""
        self._used(key_id, model).lose()

    def refuse(self, key_id: str, limit: str) -> None:
        """Count a request that a limit did not let in."""
        self._refused[key_id, limit] += 1

    def drain(self) -> list[UsageRow]:
        """What was counted since the last time, for the store: whoever takes it has to keep it."""
        self._end_the_day()
        drained, self._earlier = self._earlier, []
        return drained

    def totals(self) -> Iterator[tuple[Pair, Used]]:
        """What was used since the beginning, by key and model; at most MOST_SERIES and one."""
        self._end_the_day()
        yield from self._totals.items()

    def refused(self) -> Iterator[tuple[tuple[str, str], int]]:
        """How many requests each limit of each key did not let in since the beginning."""
        yield from self._refused.items()

    def _used(self, key_id: str, model: str) -> Used:
        if not self._day_from <= self._now() < self._day_to:
            self._turn_the_day()
        used = self._today.get((key_id, model))
        if used is None:
            used = self._today[key_id, model] = Used()
        return used

    def _turn_the_day(self) -> None:
        self._end_the_day()
        now = self._now()
        self._day = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
        self._day_from = now - now % _DAY_S
        self._day_to = self._day_from + _DAY_S

    def _end_the_day(self) -> None:
        today, self._today = self._today, {}
        for pair, used in today.items():
            self._earlier.append(_row(self._day, pair, used))
            self._total_of(pair).add_all(used)

    def _total_of(self, pair: Pair) -> Used:
        if pair not in self._totals and len(self._totals) >= MOST_SERIES:
            pair = (OTHER, OTHER)
        return self._totals.setdefault(pair, Used())


def _row(day: str, pair: Pair, used: Used) -> UsageRow:
    key_id, model = pair
    return UsageRow(
        day=day,
        key_id=key_id,
        model=model,
        requests=used.requests,
        errors=used.errors,
        prompt_tokens=used.prompt_tokens,
        output_tokens=used.output_tokens,
        uncounted=used.uncounted,
    )
