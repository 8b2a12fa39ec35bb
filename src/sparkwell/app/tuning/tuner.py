"""A tuning from its first start to its last: the flags from before, the search, the check."""

import math
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from sparkwell.app.tuning.concluding import Concluding
from sparkwell.app.tuning.document import Outcome, Place
from sparkwell.app.tuning.foretelling import Plans, foretelling
from sparkwell.app.tuning.ledger import Ledger
from sparkwell.app.tuning.rig import Rig, TrialError
from sparkwell.app.tuning.searching import Searching, fixed
from sparkwell.app.tuning.trying import Attempt, Trying
from sparkwell.catalog.recipe import FlagValue
from sparkwell.tune.knobs import Knob, knobs
from sparkwell.tune.trial import Trial
from sparkwell.tune.values import nearest, with_value
from sparkwell.tune.winner import best, few_kept, unmet

PlansOf = Callable[[str], Plans]
PlaceOf = Callable[[str, str], Place]
LOG_KEPT = "`sparkwell tune show` has the end of its log"


class Tuner:
    """``plans`` makes those of a version of the engine; ``place`` describes engine and machine."""

    def __init__(self, ledger: Ledger, rig: Rig, plans: PlansOf, place: PlaceOf) -> None:
        self._ledger, self._rig, self._plans_of, self._place = ledger, rig, plans, place
        tuning = self._tuning = ledger.tuning
        self._trying = Trying(rig, tuning.aim, tuning.loads[0], tuning.repeats, tuning.seed)

    async def run(self) -> Outcome:
        """Go on from where the document is. Raises where the flags from before do not serve."""
        before = self._known() or await self._first()
        searching = Searching(self._ledger, self._trying, self._plans, before)
        await searching.run()
        return self._ledger.end(await self._outcome(before, searching))

    def _known(self) -> Trial | None:
        """The trial with the flags from before, where they have served already."""
        before = self._tuning.before
        if before is None or before.expected is not None:
            return before
        return self._ledger.begin_with(self._foretold(before))

    async def _first(self) -> Trial:
        """The trial that all others are compared with; it says what there is to search."""
        self._ledger.step("the flags from before", 0)
        given = Attempt(0, {}, dict(self._tuning.given), self._tuning.profile)
        trial = await self._trying.attempt(given, self._ledger.limits)
        if trial.flags is None or trial.value is None:
            self._ledger.begin_with(trial)
            raise no_first(self._tuning.model, trial)
        self._describe(trial.flags)
        values = nearest(self._tuning.space, trial.flags)
        return self._ledger.begin_with(self._foretold(replace(trial, values=values)))

    def _describe(self, flags: Mapping[str, FlagValue]) -> None:
        started = self._rig.started
        place = self._place(started.engine, started.version)
        self._ledger.describe(place, self._space(flags, started.version))

    def _space(self, flags: Mapping[str, FlagValue], version: str) -> list[Knob]:
        """The knobs with the values from before among theirs."""
        tuning, plans = self._tuning, self._plans_of(version)
        found = knobs(
            tuning.aim, plans.plan(fixed(tuning, flags)), version,
            fixed=tuning.given, guessing=tuning.guessing,
        )  # fmt: skip
        return [with_value(each, flags.get(each.name)) for each in found]

    def _foretold(self, before: Trial) -> Trial:
        """With what the plan expects of it: the others are held against that."""
        kept = fixed(self._tuning, before.flags or {})
        foretell = foretelling(self._tuning, self._plans, kept)
        return replace(before, expected=foretell(before.values).value)

    @property
    def _plans(self) -> Plans:
        assert self._tuning.place is not None  # noqa: S101 - the first start has told it
        return self._plans_of(self._tuning.place.version)

    async def _outcome(self, before: Trial, searching: Searching) -> Outcome:
        needed_s = self._ledger.needed_s
        if searching.out_of_time and needed_s is not None and not self._ledger.started:
            return Outcome(no_time(self._ledger.spent_s + needed_s))
        winner = best(self._tuning.trials, self._tuning.aim)
        if winner is None:
            return Outcome(unmet(self._tuning.trials))
        if winner.number == before.number:
            time = " The time ran out." if searching.out_of_time else ""
            said = f"None of {self._ledger.started} other starts did better.{time}"
            return Outcome(said, 0, notes=few_kept(self._tuning.aim, winner))
        return await Concluding(self._ledger, self._rig, before).outcome(winner)


def no_first(model: str, trial: Trial) -> TrialError:
    """What to say where the flags from before came to no figures."""
    if trial.end == "pruned":
        return TrialError(
            f"{model} with its flags from before {trial.why}.",
            hint="Give a longer --budget, fewer --clients, or shorter answers."
            + (f" {LOG_KEPT}." if trial.lines else ""),
        )
    return TrialError(
        f"{model} does not serve with its flags from before: {trial.why}",
        hint=(f"{LOG_KEPT}; " if trial.lines else "")
        + "`sparkwell up` and `sparkwell doctor` say more. Mend that, then the same command with "
        "--resume goes on.",
    )


def no_time(budget_s: float) -> str:
    """What to say where the budget was too small for one trial beside the check."""
    return (
        "There was no time for a trial: another start and the check take too long for this budget. "
        f"Give --budget {max(1, math.ceil(budget_s / 60))}m, fewer --clients, or shorter answers."
    )
