"""The search of a tuning: trials one after the other, as long as there is time."""

import zlib
from collections.abc import Mapping, Sequence

from sparkwell.app.tuning.document import Tuning
from sparkwell.app.tuning.foretelling import Plans
from sparkwell.app.tuning.ledger import Ledger
from sparkwell.app.tuning.trying import Attempt, Trying
from sparkwell.app.tuning.workloads import cases
from sparkwell.catalog.recipe import FlagValue
from sparkwell.catalog.tuned import Goal as GoalName
from sparkwell.core.errors import SparkwellError
from sparkwell.planner.fit import UTILIZATION
from sparkwell.tune.knobs import Value, Values, changed, flags_of, nearest, own_cache
from sparkwell.tune.search import Candidate, Foretold, Search
from sparkwell.tune.trial import Trial, ruled_out

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
        self._fixed = fixed(ledger.tuning, before.flags or {})
        before.expected = before.expected or self._foretold(before.values).value
        self._search = self._begun(ledger.tuning)
        self.out_of_time = False

    def _begun(self, tuning: Tuning) -> Search:
        seed = zlib.crc32(tuning.seed.encode())
        search = Search(tuning.space, tuning.trials, self._foretold, seed)
        for values in self._seeds(tuning):
            search.suggest(values)
        return search

    async def run(self) -> None:
        """Until the time for the check has come."""
        while self._ledger.tuning.space and self._goes_on():
            candidate, against = self._search.next()
            self._write_down(against)
            if candidate is None:
                return
            self._search.told(await self._attempt(candidate))

    async def _attempt(self, candidate: Candidate) -> Trial:
        number, values = len(self._ledger.tuning.trials), candidate.values
        self._ledger.step(said(changed(values, self._before.values)), number)
        flags = {**self._fixed, **flags_of(values)}
        asked = Attempt(number, values, flags, self._ledger.tuning.profile, candidate.expected)
        trial = await self._trying.attempt(asked, self._search.is_hopeless)
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

    def _foretold(self, values: Mapping[str, Value]) -> Foretold:
        tuning = self._ledger.tuning
        [case] = cases(tuning.loads[0], tuning.clients[-1:])
        flags = {**self._fixed, **values}
        return self._plans.foretold(tuning.aim, case, flags, tuning.profile)

    def _write_down(self, against: Sequence[tuple[dict[str, Value], Foretold]]) -> None:
        for values, why in against:
            trials = self._ledger.tuning.trials
            if sum(not each.started for each in trials) < KEPT_RULINGS:
                self._ledger.add(ruled_out(len(trials), values, why.refusal, why.value))

    def _goes_on(self) -> bool:
        ledger, most = self._ledger, self._ledger.tuning.most_trials
        if most is not None and ledger.started >= most:
            return False
        self.out_of_time = ledger.left_s < ledger.needed_s
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
