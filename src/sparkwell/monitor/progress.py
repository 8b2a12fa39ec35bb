"""How far a start is, and how long it will still take: from what earlier starts took."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from sparkwell.core.phases import BEFORE_LAUNCH, Phase

OVERDUE = 1.25
"""A phase that has taken this many times what was expected tells nothing about its end."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A start in figures. Times in seconds; ``left_s`` and ``percent`` None when unknown."""

    phase: Phase
    percent: float | None
    elapsed_s: float
    left_s: float | None


def progress(
    expected: Mapping[Phase, float],
    entered: Mapping[Phase, float],
    phase: Phase,
    fraction: float | None,
    now: float,
) -> Progress:
    """Estimate a start.

    ``expected`` are seconds per phase; ``entered`` Unix seconds at which phases began;
    ``fraction`` the share of ``phase`` that the engine itself reports, which wins over time.
    A phase that takes longer than expected never goes past its share; how long it will still
    take is unknown then. What is fetched before a launch is expected to go on at the pace that
    it had so far.
    """
    expected = _with_fetching(expected, entered, phase, fraction, now)
    began = min(entered.values(), default=now)
    elapsed = max(0.0, now - began)
    if phase is Phase.READY:
        return Progress(phase, 100.0, elapsed, 0.0)
    total = sum(expected.values())
    if total <= 0:
        return Progress(phase, None, elapsed, None)
    behind = sum(took for name, took in expected.items() if name.is_before(phase))
    own = expected.get(phase, 0.0)
    spent = now - entered.get(phase, now)
    done = behind + own * _share(own, fraction, spent)
    overdue = fraction is None and spent > OVERDUE * own
    left = None if overdue else max(0.0, total - done)
    return Progress(phase, min(99.0, 100 * done / total), elapsed, left)


def _with_fetching(
    expected: Mapping[Phase, float],
    entered: Mapping[Phase, float],
    phase: Phase,
    fraction: float | None,
    now: float,
) -> dict[Phase, float]:
    """The expectations with what this start fetched, and will: another one fetched nothing."""
    known = {name: took for name, took in expected.items() if name not in BEFORE_LAUNCH}
    steps = [*entered.items(), (Phase.READY, now)]
    for (name, at), (_, later) in pairwise(steps):
        took = max(0.0, later - at)
        if name in BEFORE_LAUNCH and name is not phase:
            known[name] = took
        elif name in BEFORE_LAUNCH and fraction:
            known[name] = took / fraction
    return known


def _share(own: float, fraction: float | None, spent: float) -> float:
    if fraction is not None:
        return fraction
    # Clocks are set back now and then: time before the phase began is none at all.
    return min(1.0, max(0.0, spent) / own) if own > 0 else 1.0
