"""What comes of a search: its best flags are checked, and where they fail the next best."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from msgspec.structs import replace

from sparkwell.app.tuning.checking import Check, clients_for
from sparkwell.app.tuning.document import Outcome
from sparkwell.app.tuning.ledger import Ledger
from sparkwell.app.tuning.limits import within
from sparkwell.app.tuning.rig import Rig, TrialError
from sparkwell.app.tuning.searching import fixed
from sparkwell.core.errors import SparkwellError
from sparkwell.tune.gain import Gain, holds, is_open
from sparkwell.tune.goal import Goal
from sparkwell.tune.trial import Trial
from sparkwell.tune.values import flags_of
from sparkwell.tune.winner import best, few_kept, worth

HOLDS, FAILS, NOT_SHOWN = (
    "The gain holds.", "The gain does not hold.", "The gain was not shown."
)  # fmt: skip
"""Not shown: better in the mean, but not by more than the repeats are apart."""


@dataclass(frozen=True, slots=True)
class Concluding:
    """``before`` is the trial with the flags from before."""

    ledger: Ledger
    rig: Rig
    before: Trial

    async def outcome(self, winner: Trial) -> Outcome:
        """Raises TrialError where the winner's check could not be made.

        Checks of an earlier part are told too: who checks until it holds shall say how often.
        """
        before = [each.briefly("was checked before") for each in self.ledger.tuning.earlier]
        return _noting(await self._found(winner), *before)

    async def _found(self, winner: Trial) -> Outcome:
        first = await self._checked(winner)
        other = None if first.holds else self._next_best(winner)
        if other is None:
            return first
        try:
            second = await self._checked(other)
        except TrialError as error:
            told = f"Trial {other.number} was next: {error.message.removesuffix('.')}."
            return _noting(first, told)
        taken, beside, when = (second, first, "first") if second.holds else (first, second, "next")
        self.ledger.checked(beside)
        return _noting(taken, beside.briefly(f"was checked {when}"))

    def _next_best(self, winner: Trial) -> Trial | None:
        """None where there is no time for a second check, or nothing else is better than before."""
        needed_s = self.ledger.check_s
        if needed_s is None or self.ledger.left_s < needed_s:
            return None
        rest = [each for each in self.ledger.tuning.trials if each.number != winner.number]
        other = best(rest, self.ledger.tuning.aim)
        return None if other is None or other.number == self.before.number else other

    async def _checked(self, winner: Trial) -> Outcome:
        tuning, goal = self.ledger.tuning, self.ledger.tuning.aim
        check = Check(
            self.rig, tuning, goal, clients_for(goal, winner), self.ledger.check_repeats,
            lambda said: self.ledger.step(said, None),
        )  # fmt: skip
        tried = {**fixed(tuning, self.before.flags or {}), **flags_of(winner.values)}
        try:
            work = check.run(dict(tuning.given), tried)
            found = await within(self.ledger.check_limit_s, None, work)
        except SparkwellError as error:
            raise TrialError(
                f"The search is done, but the check could not be made: {error.message}",
                hint="The same command with --resume makes it.",
            ) from error
        least = worth(winner, self.before)
        said = verdict(found.gains, goal, least)
        why = [found.apart] if said == NOT_SHOWN and found.apart else []
        return Outcome(
            said, winner.number, said == HOLDS, _plain(found.gains),
            notes=[*why, *few_kept(goal, winner), *found.notes], repeats=check.repeats,
        )  # fmt: skip


def verdict(gains: Sequence[Gain], goal: Goal, least: float) -> str:
    """In a sentence; ``least`` is the ratio that is worth it."""
    if holds(gains, goal, least=least):
        return HOLDS
    return NOT_SHOWN if is_open(gains, goal, least=least) else FAILS


def _plain(gains: Sequence[Gain]) -> list[dict[str, object]]:
    return [asdict(each) for each in gains]


def _noting(outcome: Outcome, *notes: str) -> Outcome:
    return replace(outcome, notes=[*notes, *outcome.notes])
