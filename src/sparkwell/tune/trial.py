"""One trial: what was tried, how it ended, what it was worth."""

from typing import Any, Literal

import msgspec

End = Literal["measured", "pruned", "refused", "passed over", "failed"]
"""``pruned`` was measured in part (in too long a time: without a value), ``refused`` by the plan or
the daemon before a start,
``passed over`` for what the plan expects of it, ``failed`` at its start or while measured."""


class Trial(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``value`` is the score, larger is better; None where nothing was measured.

    ``flags`` are all flags of the start, ``figures`` those of each case, ``expected`` what the
    plan foretold. ``lines`` are the last of the engine's log, secrets removed. Times in seconds.
    ``overran`` says that it was ended as it took too long, and not for the end of the budget.
    """

    number: int
    values: dict[str, Any]
    end: End
    at: float
    value: float | None = None
    kept: bool = False
    near: float | None = None
    said: str = ""
    why: str | None = None
    flags: dict[str, Any] | None = None
    figures: list[dict[str, Any]] = []
    expected: float | None = None
    start_s: float | None = None
    measure_s: float | None = None
    lines: list[str] = []
    overran: bool = False

    @property
    def started(self) -> bool:
        """Whether an engine was started for it: then it took time."""
        return self.end in ("measured", "pruned", "failed")

    @property
    def counts(self) -> bool:
        """Whether it was measured whole, and kept the SLO if there is one."""
        return self.end == "measured" and self.kept

    @property
    def cut(self) -> bool:
        """Whether the end of the budget came before its first figures: that says nothing of it."""
        return self.end == "pruned" and self.value is None and not self.overran


def ruled_out(
    number: int, values: dict[str, Any], why: str | None, expected: float | None, *, at: float
) -> Trial:
    """A trial that needs no start: the plan refuses it, or expects too little of it.

    ``at`` is Unix time.
    """
    end: End = "refused" if expected is None else "passed over"
    return Trial(number=number, values=values, end=end, at=at, why=why, expected=expected)
