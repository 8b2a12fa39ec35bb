"""Which trial is the best, and whether its gain holds. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from sparkwell.bench.figures import Figures
from sparkwell.bench.intervals import Ratio, ratio
from sparkwell.planner.pick import SAME, WORTH_FP8
from sparkwell.tune.goal import KEPT_SHARE, Goal
from sparkwell.tune.knobs import CACHE_KIND, NARROW, changed
from sparkwell.tune.trial import Trial

LESS_IS_BETTER = ("e2e_p95_s",)
Verdict = Literal["better", "worse", "no difference shown", "too few repeats"]


def best(trials: Sequence[Trial]) -> Trial | None:
    """The trial that is to be used; None where none kept the SLO.

    Of those about as good as the best, the one that changes least. One with keys and values in 8
    bits, whose quality nobody measured here, has to gain enough over the best without.
    """
    kept = [each for each in trials if each.end == "measured" and each.kept]
    wide = [each for each in kept if each.values.get(CACHE_KIND) != NARROW]
    most, own = (max(map(_value, each), default=0.0) for each in (kept, wide))
    among, top = (kept, most) if most >= WORTH_FP8 * own else (wide, own)
    good = [each for each in among if _value(each) >= SAME * top]
    before = trials[0].values if trials else {}
    return min(
        good, key=lambda each: (len(changed(each.values, before)), -_value(each)), default=None
    )


def nearest(trials: Sequence[Trial]) -> Trial | None:
    """Of those that kept no SLO, the one of which most requests did; None without any."""
    tried = [each for each in trials if each.value is not None and each.near is not None]
    return max(tried, key=lambda each: (each.near or 0.0, _value(each)), default=None)


def unmet(trials: Sequence[Trial]) -> str:
    """What to say where nothing kept the SLO: what came nearest."""
    near = nearest(trials)
    if near is None:
        return "No start could be measured."
    differs = ", ".join(f"{k}={v}" for k, v in changed(near.values, trials[0].values).items())
    return (
        f"Nothing keeps the SLO. Trial {near.number} ({differs or 'the flags from before'}) came "
        f"nearest: {near.near or 0:.0%} of its requests kept it."
    )


def _value(trial: Trial) -> float:
    return trial.value or 0.0


@dataclass(frozen=True, slots=True)
class Gain:
    """One figure of one workload with the flags from before and with those found.

    ``ratio`` is found over before; None where one of them is zero.
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
    one, other = ([_figure(each, name) for each in runs] for runs in (before, after))
    told = ratio(one, other)
    means = fmean(one), fmean(other)
    return Gain(
        workload, tuned_on, name, *means, told, _verdict(told, *means, less=name in LESS_IS_BETTER)
    )


def _figure(figures: Figures, name: str) -> float:
    if name == "e2e_p95_s":
        return figures.e2e.p95 if figures.e2e is not None else math.inf
    return float(getattr(figures, name) or 0.0)


def _verdict(told: Ratio | None, before: float, after: float, *, less: bool) -> Verdict:
    if told is None:  # one of them is zero: from nothing to something needs no interval
        return "no difference shown" if before == after else _named(after > before, less)
    if told.verdict in ("more", "less"):
        return _named(told.verdict == "more", less)
    return "too few repeats" if told.verdict == "too few repeats" else "no difference shown"


def _named(more: bool, less_is_better: bool) -> Verdict:
    return "better" if more != less_is_better else "worse"


def holds(found: Sequence[Gain], goal: Goal, *, least: float = 1.0) -> bool:
    """Whether the goal's figure is better on the workload that was tuned on, and nowhere worse.

    ``least`` is the ratio that is worth it. Where the goal is one thing and an SLO bounds it, the
    flags found have to keep it there; where those from before did not, that is the gain.
    """
    own = [each for each in found if each.figure == goal.figure]
    if goal.slo is not None and goal.figure != "goodput":
        [share] = [each for each in found if each.figure == "good_share" and each.tuned_on]
        if min(share.before, share.after) < KEPT_SHARE:
            return share.after >= KEPT_SHARE
    enough = all(_factor(each, goal) >= least for each in own if each.tuned_on)
    better = any(each.tuned_on and each.verdict == "better" for each in own)
    return enough and better and all(each.verdict != "worse" for each in own)


def _factor(gain: Gain, goal: Goal) -> float:
    """By how much it is better; without limit where there was nothing before."""
    if gain.ratio is None:
        return math.inf
    return 1 / gain.ratio.value if goal.wants_less else gain.ratio.value


def worth(winner: Trial, before: Trial) -> float:
    """The ratio from which the flags found are worth it: more where they narrow the KV cache."""
    narrows = winner.values.get(CACHE_KIND) == NARROW != before.values.get(CACHE_KIND)
    return WORTH_FP8 if narrows else 1.0
