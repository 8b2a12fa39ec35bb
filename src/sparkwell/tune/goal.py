"""What flags are tuned for, and what one trial is worth towards it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from sparkwell.bench.figures import Figures, Slo
from sparkwell.catalog.tuned import GoalName
from sparkwell.core.figure_names import wants_less
from sparkwell.core.units import figure

KEPT_SHARE = 0.95
"""Of the requests: where so many keep the SLO, it counts as kept."""
FAR_BEHIND = 0.7
"""Of the best so far: repeats of one start differ by a few per cent in speed, and never by so much.

Not where an SLO makes the value: beside its limit one repeat keeps it and the next does not.
"""
DEFAULT_SLO = {"goodput": Slo(ttft_s=2.0), "concurrency": Slo(ttft_s=2.0, tpot_s=0.1)}
"""Where the goal needs one and none was given: a first token within 2 s, 10 tokens a second."""


@dataclass(frozen=True, slots=True)
class Goal:
    """``clients`` ask at once: one number, or the steps of a ladder, ascending, for concurrency."""

    name: GoalName
    slo: Slo | None
    clients: tuple[int, ...]

    @property
    def figure(self) -> str:
        """What is compared, by its name in a run's document; concurrency goes by goodput."""
        by_name = {"throughput": "output_tokens_per_s", "latency": "e2e_p95_s"}
        return by_name.get(self.name, "goodput")

    @property
    def far_behind(self) -> float | None:
        """The share of the best so far below which one repeat says enough; None: none says it."""
        return FAR_BEHIND if self.name in ("throughput", "latency") else None

    @property
    def wants_less(self) -> bool:
        """Whether a smaller figure is the better one."""
        return wants_less(self.figure)


@dataclass(frozen=True, slots=True)
class Score:
    """``value`` is better the larger it is; ``kept`` says whether the SLO was, if there is one.

    ``said`` is the value as people read it. ``near`` is the share of requests that kept the SLO.
    """

    value: float
    kept: bool
    said: str
    near: float | None = None


def score(goal: Goal, cases: Sequence[Sequence[Figures]]) -> Score:
    """Of a trial: the repeats of each case, in the order of ``goal.clients``."""
    if goal.name == "concurrency":
        return _concurrency(goal, cases)
    repeats = cases[0]
    near = _good_share(repeats)
    kept = _answered(repeats) >= KEPT_SHARE and (near is None or near >= KEPT_SHARE)
    if goal.name == "throughput":
        rate = fmean(each.output_tokens_per_s for each in repeats)
        return Score(rate, kept, f"{rate:,.1f} tok/s", near)
    if goal.name == "goodput":
        good = fmean(each.goodput or 0.0 for each in repeats)
        return Score(good, good > 0, f"{figure(good)} good requests/s{_share_said(near)}", near)
    return _latency(repeats, kept, near)


def _share_said(near: float | None) -> str:
    """Of the requests, where many did not keep it: good ones a second alone hide that."""
    return f", {100 * near:.2g}% kept the SLO" if near and near < KEPT_SHARE else ""


def _latency(repeats: Sequence[Figures], kept: bool, near: float | None) -> Score:
    times = [each.e2e.p95 for each in repeats if each.e2e is not None]
    if not times:
        return Score(0.0, False, "no answer", near)
    whole = fmean(times)
    return Score(1 / whole, kept, f"{figure(whole)} s for an answer (p95)", near)


def _concurrency(goal: Goal, cases: Sequence[Sequence[Figures]]) -> Score:
    """The most clients at once that keep the SLO; of the step after that, as far as it did."""
    held, shares = 0, [_good_share(repeats) or 0.0 for repeats in cases]
    for clients, share in zip(goal.clients, shares, strict=False):
        if share < KEPT_SHARE:
            value = held + (clients - held) * share / KEPT_SHARE
            return Score(value, held > 0, f"{held:,} clients at once", share)
        held = clients
    return Score(float(held), held > 0, f"{held:,} clients at once", shares[-1] if shares else None)


def _good_share(repeats: Sequence[Figures]) -> float | None:
    shares = [each.good_share for each in repeats if each.good_share is not None]
    return fmean(shares) if shares else None


def _answered(repeats: Sequence[Figures]) -> float:
    """The share of the requests that got a whole answer."""
    asked = sum(each.requests for each in repeats)
    return 1 - sum(each.failed for each in repeats) / asked if asked else 0.0


def goes_on(goal: Goal, repeats: Sequence[Figures]) -> bool:
    """Whether the next case is worth asking: always, unless a step of a ladder broke the SLO."""
    return (_good_share(repeats) or 0.0) >= KEPT_SHARE or goal.name != "concurrency"
