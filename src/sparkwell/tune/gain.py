"""What flags that were found gain in the check, and whether that holds. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from sparkwell.bench.figures import Figures, by_name
from sparkwell.bench.intervals import Ratio, ratio
from sparkwell.core.figure_names import wants_less
from sparkwell.tune.goal import KEPT_SHARE, Goal

Verdict = Literal["better", "worse", "no difference shown", "too few repeats"]


@dataclass(frozen=True, slots=True)
class Gain:
    """One figure of one workload with the flags from before and with those found.

    ``ratio`` is found over before; None where a repeat of one of them is zero.
    """

    workload: str
    tuned_on: bool
    figure: str
    before: float
    after: float
    ratio: Ratio | None
    verdict: Verdict


def gains(
    goal: Goal,
    workload: str,
    before: Sequence[Figures],
    after: Sequence[Figures],
    *,
    tuned_on: bool,
) -> list[Gain]:
    """The goal's figure, how many tokens a second came, and the share that kept the SLO."""
    share = ("good_share",) if goal.slo is not None else ()
    names = dict.fromkeys((goal.figure, "output_tokens_per_s", *share))
    return [_gain(workload, name, before, after, tuned_on=tuned_on) for name in names]


def _gain(
    workload: str, name: str, before: Sequence[Figures], after: Sequence[Figures],
    *, tuned_on: bool,
) -> Gain:  # fmt: skip
    one, other = ([figure_of(each, name) for each in runs] for runs in (before, after))
    told, less = ratio(one, other), wants_less(name)
    verdict = _unlike(one, other, less) if told is None else _verdict(told, less)
    return Gain(workload, tuned_on, name, fmean(one), fmean(other), told, verdict)


def figure_of(figures: Figures, name: str) -> float:
    """What nobody could take: an answer that never came took longer than any."""
    return by_name(figures).get(name, math.inf if wants_less(name) else 0.0)


def _unlike(before: Sequence[float], after: Sequence[float], less: bool) -> Verdict:
    """Without a ratio: from nothing to something needs none, nothing in one repeat may be chance.

    Nothing is zero, and for a time that it has no limit.
    """
    nothing = [all(each in (0.0, math.inf) for each in side) for side in (before, after)]
    more, same = fmean(after) > fmean(before), fmean(after) == fmean(before)
    return _named(more, less) if any(nothing) and not same else "no difference shown"


def _verdict(told: Ratio, less: bool) -> Verdict:
    if told.verdict in ("more", "less"):
        return _named(told.verdict == "more", less)
    return "too few repeats" if told.verdict == "too few repeats" else "no difference shown"


def _named(more: bool, less_is_better: bool) -> Verdict:
    return "better" if more != less_is_better else "worse"


def holds(found: Sequence[Gain], goal: Goal, *, least: float = 1.0) -> bool:
    """Whether the goal's figure is better on the workload that was tuned on, and nowhere worse.

    ``least`` is the ratio that is worth it. Where the goal is one thing and an SLO bounds it, the
    flags found have to keep it there; where those from before did not, and that is no chance, it is
    the gain, which may cost speed wherever more requests keep the SLO for it.
    """
    own = [each for each in found if each.figure == goal.figure]
    if goal.slo is not None and goal.figure != "goodput":
        [share] = [each for each in found if each.figure == "good_share" and each.tuned_on]
        if share.after < KEPT_SHARE:
            return False
        if share.before < KEPT_SHARE and share.verdict == "better":
            return all(each.verdict != "worse" or _is_kept_more(found, each) for each in own)
    enough = all(_factor(each, goal) >= least for each in own if each.tuned_on)
    better = any(each.tuned_on and each.verdict == "better" for each in own)
    return enough and better and all(each.verdict != "worse" for each in own)


def is_open(found: Sequence[Gain], goal: Goal, *, least: float = 1.0) -> bool:
    """Whether it would hold by the means, and only its repeats are too far apart to show it."""
    if goal.slo is not None and goal.figure != "goodput" and not _keeps(found):
        return False
    own = [each for each in found if each.figure == goal.figure]
    unshown = [each for each in own if each.tuned_on and each.verdict == "no difference shown"]
    enough = any(1.0 < _factor(each, goal) >= least for each in unshown)
    return enough and all(each.verdict != "worse" for each in own)


def _keeps(found: Sequence[Gain]) -> bool:
    """Whether the flags found keep the SLO on the workload that was tuned on."""
    return all(
        each.after >= KEPT_SHARE for each in found if each.figure == "good_share" and each.tuned_on
    )


def _is_kept_more(found: Sequence[Gain], loss: Gain) -> bool:
    """Whether more requests keep the SLO on the workload where the goal's figure is worse."""
    return any(
        (each.figure, each.workload, each.verdict) == ("good_share", loss.workload, "better")
        for each in found
    )


def _factor(gain: Gain, goal: Goal) -> float:
    """By how much it is better; without limit where there was nothing before."""
    if gain.ratio is None:
        return {"better": math.inf, "worse": 0.0}.get(gain.verdict, 1.0)
    return 1 / gain.ratio.value if goal.wants_less else gain.ratio.value
