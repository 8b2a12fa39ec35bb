"""How the time of a tuning is spent: when there is enough for one more trial. Pure."""

from collections.abc import Sequence
from statistics import fmean

from sparkwell.bench.workload import Workload
from sparkwell.tune.trial import Trial

CHECKED_STARTS = 2
REPEATS, FEWEST_REPEATS = 3, 2
"""Of each workload in the check; the fewest that have an interval."""


def trial_s(trials: Sequence[Trial]) -> float | None:
    """What a whole trial takes, in seconds, by those that were; None before the first."""
    whole = [each for each in trials if each.end == "measured"]
    times = [(each.start_s or 0.0) + (each.measure_s or 0.0) for each in whole]
    return fmean(times) if times else None


def check_s(
    trials: Sequence[Trial], repeats: int, loads: Sequence[Workload], check_repeats: int
) -> float | None:
    """What the check at the end takes, in seconds: both sets of flags, on all workloads.

    A workload takes as much longer than the first as its answers are, or as what has to be read of
    its prompts where that is more. Of a ladder one step is checked. None before the first trial.
    """
    whole = [each for each in trials if each.end == "measured"]
    if not whole:
        return None
    start = fmean(each.start_s or 0.0 for each in whole)
    once = fmean((each.measure_s or 0.0) / max(1, len(each.figures)) for each in whole)
    times = sum(_times(each, loads[0]) for each in loads)
    return CHECKED_STARTS * (start + once / max(1, repeats) * times * check_repeats)


def _times(load: Workload, first: Workload) -> float:
    read = load.prompt_tokens - load.document_tokens
    return max(load.output_tokens / first.output_tokens, read / first.prompt_tokens)


def check_repeats(
    trials: Sequence[Trial], repeats: int, loads: Sequence[Workload], budget_s: float
) -> int:
    """Fewer where the check would take more than half of the budget."""
    whole_s = check_s(trials, repeats, loads, REPEATS)
    return REPEATS if whole_s is None or whole_s <= budget_s / 2 else FEWEST_REPEATS
