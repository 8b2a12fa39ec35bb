"""How long a trial may take before it is ended. Deciding is pure; `within` ends it."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from sparkwell.core.errors import SparkwellError
from sparkwell.core.units import duration
from sparkwell.tune.trial import Trial

T = TypeVar("T")
TIMES = 3.0
"""What the flags from before took: slower ones are not what anybody looks for."""
LEAST_S, LEAST_START_S = 30.0, 600.0
"""Never below: short ones vary; a start with other flags may compile kernels for minutes."""


class TookTooLongError(SparkwellError):
    """A trial reached its limit, or the end of the budget; ``overran`` says that it was the former.

    Nothing of the trial goes on by then but its engine, which the next start stops.
    """

    code = "took_too_long"

    def __init__(self, message: str, *, overran: bool) -> None:
        super().__init__(message)
        self.overran = overran


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one trial, in seconds; None where there is none. ``whole_s`` is the end of the budget."""

    start_s: float | None = None
    measure_s: float | None = None
    whole_s: float | None = None

    def of_measuring(self, spent_s: float) -> "Limits":
        """What is left of them after a start that took so long."""
        left_s = None if self.whole_s is None else self.whole_s - spent_s
        return Limits(None, self.measure_s, left_s)


def limits(before: Trial | None, cases: int, left_s: float, check_s: float | None) -> Limits:
    """By what the flags from before took, and what is left of the budget before the check.

    ``cases`` are the steps of a ladder: other flags may bear more of them. Without ``before``, for
    the first start, the budget's end is all.
    """
    whole_s = max(0.0, left_s - (check_s or 0.0))
    if before is None:
        return Limits(whole_s=whole_s)
    once_s = (before.measure_s or 0.0) / max(1, len(before.figures))
    return Limits(
        max(LEAST_START_S, TIMES * (before.start_s or 0.0)),
        max(LEAST_S, TIMES * once_s * max(1, cases)),
        whole_s,
    )


async def within(limit_s: float | None, whole_s: float | None, work: Awaitable[T]) -> T:
    """What comes of it. Cancels it at the first of both, waits for its end: TookTooLongError."""
    known = [each for each in (limit_s, whole_s) if each is not None]
    try:
        async with asyncio.timeout(min(known, default=None)) as clock:
            return await work
    except TimeoutError:
        if not clock.expired():
            raise
        raise _too_long(limit_s, whole_s) from None


def _too_long(limit_s: float | None, whole_s: float | None) -> TookTooLongError:
    if limit_s is not None and (whole_s is None or limit_s <= whole_s):
        return TookTooLongError(f"took too long: more than {duration(limit_s)}", overran=True)
    return TookTooLongError("took too long: the end of the budget came", overran=False)
