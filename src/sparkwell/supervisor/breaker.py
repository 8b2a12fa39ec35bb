"""When a model that failed may try again: pauses that grow, because restart loops leak memory."""

from dataclasses import dataclass

PAUSES_AFTER_START_S = (10.0, 60.0)
PAUSES_AFTER_CRASH_S = (2.0, 15.0)
OPEN_S = 600.0
FAILURES_TO_OPEN = 3
STABLE_S = 300.0
"""An engine that served this long is well again: its next failure is a first one."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is held against a model. ``not_before`` is in monotonic seconds.

    ``reason`` is that of the first failure in the row: those that follow are often its echo.
    """

    model: str
    failures: int
    not_before: float
    reason: str
    instance: str
    while_starting: bool

    @property
    def open(self) -> bool:
        """Whether the row of failures is long enough that only a person, or time, closes it."""
        return self.failures >= FAILURES_TO_OPEN

    def holds_back(self, now: float) -> bool:
        """Whether a start has to wait."""
        return now < self.not_before

    def refuses(self, now: float) -> bool:
        """Whether requests are told so at once, instead of waiting for the next try."""
        return self.holds_back(now) and (self.open or self.while_starting)


def failed(
    before: Breaker | None,
    model: str,
    instance: str,
    reason: str,
    *,
    now: float,
    served_s: float | None,
) -> Breaker:
    """The breaker after a failure; ``served_s`` is how long the engine had served, None: never."""
    row = before if before and (served_s or 0.0) < STABLE_S else None
    failures = row.failures + 1 if row else 1
    while_starting = served_s is None
    pauses = PAUSES_AFTER_START_S if while_starting else PAUSES_AFTER_CRASH_S
    pause = OPEN_S if failures >= FAILURES_TO_OPEN else pauses[failures - 1]
    first = (row.reason, row.instance) if row else (reason, instance)
    return Breaker(model, failures, now + pause, *first, while_starting)
