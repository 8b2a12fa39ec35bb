"""The document of a tuning that runs: its one owner, which saves it after every step."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from sparkwell.app.tuning.budget import check_repeats, check_s, trial_s
from sparkwell.app.tuning.document import KnobPart, Outcome, Place, Tuning
from sparkwell.app.tuning.limits import LEAST_S, TIMES, Limits, limits
from sparkwell.catalog.recipe import FlagValue
from sparkwell.tune.knobs import Knob
from sparkwell.tune.trial import Trial
from sparkwell.tune.winner import best


@dataclass(frozen=True, slots=True)
class Step:
    """What goes on now, for a person; ``trial`` is None while the winner is checked."""

    said: str
    trial: int | None
    spent_s: float
    best: Trial | None


class Ledger:
    """What was tried, and the time that it took, over all parts of a tuning."""

    def __init__(
        self, tuning: Tuning, save: Callable[[Tuning], None], tell: Callable[[Step], None]
    ) -> None:
        self.tuning = tuning
        self._save, self._tell = save, tell
        self._since = time.monotonic()

    @property
    def spent_s(self) -> float:
        """Up to now."""
        return self.tuning.spent_s + time.monotonic() - self._since

    @property
    def left_s(self) -> float:
        """Of the budget."""
        return self.tuning.budget_s - self.spent_s

    @property
    def check_repeats(self) -> int:
        """Of each workload in the check."""
        tuning = self.tuning
        if tuning.check_repeats is not None:
            return tuning.check_repeats
        return check_repeats(tuning.trials, tuning.repeats, tuning.loads, tuning.budget_s)

    @property
    def needed_s(self) -> float | None:
        """What another trial and the check take; None before the first whole trial."""
        check, trial = self.check_s, trial_s(self.tuning.trials)
        return None if trial is None or check is None else trial + check

    @property
    def check_s(self) -> float | None:
        """What the check takes; None before the first whole trial."""
        tuning = self.tuning
        return check_s(tuning.trials, tuning.repeats, tuning.loads, self.check_repeats)

    @property
    def limits(self) -> Limits:
        """Of a trial that begins now."""
        return limits(self.tuning.before, len(self.tuning.clients), self.left_s, self.check_s)

    @property
    def check_limit_s(self) -> float:
        """Of a check that begins now: all of the budget that is left, or what it might take."""
        return max(self.left_s, LEAST_S, TIMES * (self.check_s or 0.0))

    @property
    def started(self) -> int:
        """How many starts there were beside that with the flags from before."""
        return sum(each.started for each in self.tuning.trials) - 1

    def step(self, said: str, trial: int | None) -> None:
        """Tell what comes now."""
        self._tell(Step(said, trial, self.spent_s, best(self.tuning.trials, self.tuning.aim)))

    def describe(self, place: Place, knobs: Sequence[Knob]) -> None:
        """Take in what the first start has told; it is saved with its trial."""
        self.tuning.place = place
        self.tuning.knobs = [KnobPart(each.name, list(each.values), each.ordered) for each in knobs]

    def begin_with(self, trial: Trial) -> Trial:
        """Write down the first, be it that it failed, in the place of what was known of it."""
        self.tuning.trials[:1] = [trial]
        self.write()
        return trial

    def add(self, trial: Trial) -> None:
        """Write a trial down."""
        self.tuning.trials.append(trial)
        self.write()

    def checked(self, outcome: Outcome) -> None:
        """Write down a check beside the one that the outcome will be of."""
        self.tuning.earlier.append(outcome)
        self.write()

    def end(self, outcome: Outcome) -> Outcome:
        """Write down what came of it."""
        self.tuning.outcome = outcome
        self.write()
        return outcome

    def applied(self, overlay: str, outweighed: Mapping[str, FlagValue]) -> None:
        """Write down the file of the flags found; that takes no time of the tuning's."""
        if self.tuning.outcome is not None:
            done = replace(self.tuning.outcome, overlay=overlay, outweighed=dict(outweighed))
            self.tuning.outcome = done
            self._save(self.tuning)

    def write(self) -> None:
        """Save the document."""
        self.tuning.spent_s, self._since = self.spent_s, time.monotonic()
        self._save(self.tuning)
