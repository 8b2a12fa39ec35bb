"""When a figure holds: how far a plan may be off, and what a claim's range leaves. Pure."""

from typing import Literal

Verdict = Literal["holds", "does not hold", "not measured"]
KV_CACHE = 0.05
"""Of 48 starts on an H100 and an H200 the worst was 3.63 % off, with its model left out of the fit
(docs/accuracy.md)."""
WEIGHTS = 0.02
HELD = 0.10
"""It is read from outside, where the system's own use moves too."""
ALONE = 0.15
"""One stream: its speed is the memory's bandwidth, nearly."""
TOGETHER = 0.25
"""Many at once, and the first token: scheduling and prompts count as well."""
START = 0.50
"""A start depends on disk and processor, of which the planner knows nothing."""


def off_by(planned: float, measured: float) -> float | None:
    """The plan's error as a share of what was measured; None where nothing came."""
    return planned / measured - 1 if measured else None


def of_plan(planned: float | None, measured: float | None, tolerance: float) -> Verdict | None:
    """Whether the plan holds; None where nothing was planned."""
    if planned is None:
        return None
    if measured is None:
        return "not measured"
    off = off_by(planned, measured)
    return "holds" if off is not None and abs(off) <= tolerance else "does not hold"


def of_claim(judged: str) -> Verdict:
    """The verdict of the guides' check in these words: right, wrong, or cannot tell."""
    return {"right": "holds", "wrong": "does not hold"}.get(judged, "not measured")  # type: ignore[return-value]
