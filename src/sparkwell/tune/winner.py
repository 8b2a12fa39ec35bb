"""Which trial is the best. Pure."""

from collections.abc import Sequence

from sparkwell.planner.pick import WORTH_FP8, about_best
from sparkwell.tune.apart import least
from sparkwell.tune.goal import Goal
from sparkwell.tune.knobs import CACHE_KIND, NARROW
from sparkwell.tune.trial import Trial
from sparkwell.tune.values import changed

FEW = 0.5


def best(trials: Sequence[Trial], goal: Goal) -> Trial | None:
    """The trial that is to be used; None where none kept the SLO.

    Of those about as good as the best, the one that changes least. One with keys and values in 8
    bits, whose quality nobody measured here, has to gain enough over the best without, and its
    repeats have to show that it is better.
    """
    kept = [(_value(each), each) for each in _shown(trials, goal)]
    good = about_best(kept, is_wide)
    before = trials[0].values if trials else {}
    return min(
        good, key=lambda each: (len(changed(each.values, before)), -_value(each)), default=None
    )


def is_wide(trial: Trial) -> bool:
    """Whether it kept keys and values as wide as the model has them."""
    return bool(trial.values.get(CACHE_KIND) != NARROW)


def _shown(trials: Sequence[Trial], goal: Goal) -> list[Trial]:
    """Those that count, without narrow ones that chance alone may have put above the wide.

    Where the flags from before are narrow, nothing is lost by others that are.
    """
    counted = [each for each in trials if each.counts]
    wide = [_value(each) for each in counted if is_wide(each)]
    if not wide or not is_wide(trials[0]):
        return counted
    most = max(wide)
    return [each for each in counted if is_wide(each) or _least(each, goal) > most]


def _least(trial: Trial, goal: Goal) -> float:
    """Where one repeat tells nothing of the next, and for a ladder, the value as it is."""
    known = least(trial, goal)
    return _value(trial) if known is None else known


def closest_to_slo(trials: Sequence[Trial]) -> Trial | None:
    """Of those that kept no SLO, the one of which most requests did; None without any."""
    tried = [each for each in trials if each.value is not None and each.near is not None]
    return max(tried, key=lambda each: (each.near or 0.0, _value(each)), default=None)


def unmet(trials: Sequence[Trial]) -> str:
    """What to say where nothing kept the SLO: what came nearest."""
    near = closest_to_slo(trials)
    if near is None:
        return "No start could be measured."
    differs = ", ".join(f"{k}={v}" for k, v in changed(near.values, trials[0].values).items())
    return (
        f"Nothing keeps the SLO. Trial {near.number} ({differs or 'the flags from before'}) came "
        f"nearest: {near.near or 0:.0%} of its requests kept it."
    )


def few_kept(goal: Goal, winner: Trial) -> list[str]:
    """What to say where even the best flags keep the SLO for less than half of the requests.

    Only for goodput: of what else has an SLO nearly all keep it, or the trial does not count.
    """
    near = winner.near
    if goal.name != "goodput" or near is None or near >= FEW:
        return []
    said = (
        f"Even with the best flags (trial {winner.number}) {100 * near:.2g}% of the requests kept "
        "the SLO: so many clients at once are too many for it. Fewer --clients, or a longer --slo, "
        "say more."
    )
    return [said]


def _value(trial: Trial) -> float:
    return trial.value or 0.0


def worth(winner: Trial, before: Trial) -> float:
    """The ratio from which the flags found are worth it: more where they narrow the KV cache."""
    narrows = winner.values.get(CACHE_KIND) == NARROW != before.values.get(CACHE_KIND)
    return WORTH_FP8 if narrows else 1.0
