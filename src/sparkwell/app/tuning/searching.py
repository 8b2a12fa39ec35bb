"""The search of a tuning: trials one after the other, as long as there is time."""

import time
import zlib
from collections.abc import Mapping, Sequence

from sparkwell.app.tuning.document import Tuning
from sparkwell.app.tuning.foretelling import Plans, foretelling
from sparkwell.app.tuning.ledger import Ledger
from sparkwell.app.tuning.trying import Attempt, Hopeless, Trying
from sparkwell.catalog.recipe import FlagValue
from sparkwell.catalog.tuned import GoalName
from sparkwell.core.errors import SparkwellError
from sparkwell.planner.fit import UTILIZATION
from sparkwell.tune.knobs import Values
from sparkwell.tune.search import Candidate, RuledOut, Search
from sparkwell.tune.trial import Trial, ruled_out
from sparkwell.tune.values import changed, flags_of, nearest, own_cache

BEGIN_WITH: Mapping[GoalName, Sequence[str]] = {
    "throughput": ("throughput", "concurrency", "balanced"),
    "goodput": ("concurrency", "throughput", "balanced"),
    "concurrency": ("concurrency", "throughput", "balanced"),
    "latency": ("latency", "balanced"),
}
"""Profiles whose flags are tried first, as the plan computes them for this machine."""
KEPT_RULINGS = 40
"""Of what the plan rules out so many are written down; the rest would only fill the file."""


class Searching:
    """Asks for values, starts them, tells what came: until nothing is left, time or space.

    ``out_of_time`` says which it was.
    """

    def __init__(self, ledger: Ledger, trying: Trying, plans: Plans, before: Trial) -> None:
        self._ledger, self._trying, self._plans, self._before = ledger, trying, plans, before
        self.out_of_time = False

    @property
    def _fixed(self) -> dict[str, FlagValue]:
        return fixed(self._ledger.tuning, self._before.flags or {})

    def _begun(self, tuning: Tuning) -> Search:
        seed = zlib.crc32(tuning.seed.encode())
        foretell = foretelling(tuning, self._plans, self._fixed)
        behind = tuning.aim.far_behind
        search = Search(tuning.space, tuning.trials, foretell, seed, behind)
        for values in self._seeds(tuning):
            search.suggest(values)
        return search

    async def run(self) -> None:
        """Until the time for the check has come."""
        search = self._begun(self._ledger.tuning)
        while self._ledger.tuning.space and self._goes_on():
            candidate, against = search.next()
            self._write_down(against)
            if candidate is None:
                return
            search.told(await self._attempt(candidate, search.is_hopeless))

    async def _attempt(self, candidate: Candidate, hopeless: Hopeless) -> Trial:
        number, values = len(self._ledger.tuning.trials), candidate.values
        self._ledger.step(said(changed(values, self._before.values)), number)
        flags = {**self._fixed, **flags_of(values)}
        asked = Attempt(number, values, flags, self._ledger.tuning.profile, candidate.expected)
        trial = await self._trying.attempt(asked, self._ledger.limits, hopeless)
        self._ledger.add(trial)
        return trial

    def _seeds(self, tuning: Tuning) -> Sequence[Values]:
        """What the plan would choose for this machine, profile by profile.

        Where that narrows keys and values, also without: then they need not gain as much.
        """
        found: list[Values] = []
        for profile in BEGIN_WITH[tuning.goal]:
            try:
                plan = self._plans.plan(self._fixed, profile)
            except SparkwellError:  # a CPU has none
                continue
            values = nearest(tuning.space, plan.question.flags)
            found += [values, own_cache(tuning.space, values)]
        return found

    def _write_down(self, against: Sequence[RuledOut]) -> None:
        for each in against:
            trials, why = self._ledger.tuning.trials, each.foretold
            if sum(not trial.started for trial in trials) < KEPT_RULINGS:
                self._ledger.add(
                    ruled_out(len(trials), each.values, why.refusal, why.value, at=time.time())
                )

    def _goes_on(self) -> bool:
        ledger, most = self._ledger, self._ledger.tuning.most_trials
        if most is not None and ledger.started >= most:
            return False
        needed_s = ledger.needed_s
        self.out_of_time = needed_s is not None and ledger.left_s < needed_s
        return not self.out_of_time


def fixed(tuning: Tuning, flags: Mapping[str, FlagValue]) -> dict[str, FlagValue]:
    """What every trial keeps of the flags from before, and what somebody gave.

    Not the share of the memory: the plan computes the largest safe one for each set of flags.
    """
    searched = {UTILIZATION, *(each.name for each in tuning.knobs)}
    kept = {name: value for name, value in flags.items() if name not in searched}
    return {**kept, **tuning.given}


def said(values: Values) -> str:
    """Values as people type them."""
    return ", ".join(f"{name}={value}" for name, value in values.items()) or "the same once more"
