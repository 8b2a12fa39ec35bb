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
from sparkwell.tune.trial import Trial
from sparkwell.tune.values import flags_of
from sparkwell.tune.winner import best, few_kept, worth

NOT_SHOWN = "The gain was not shown."
"""Better in the mean, perhaps, but not by more than the repeats are apart."""


@dataclass(frozen=True, slots=True)
class Concluding:
    """``before`` is the trial with the flags from before."""

    ledger: Ledger
    rig: Rig
    before: Trial

    async def outcome(self, winner: Trial) -> Outcome:
        """Raises TrialError where the winner's check could not be made."""
        first = await self._checked(winner)
        other = None if first.holds else self._next_best(winner)
        if other is None:
            return first
        try:
            second = await self._checked(other)
        except TrialError as error:
            return _noting(first, f"Trial {other.number} was next: {error.message}")
        if second.holds:
            return _noting(second, first.briefly("was checked first"))
        return _noting(first, second.briefly("was checked next"))

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
        good = holds(found.gains, goal, least=worth(winner, self.before))
        missed = NOT_SHOWN if is_open(found.gains, goal) else "The gain does not hold."
        said = "The gain holds." if good else missed
        notes = [*few_kept(goal, winner), *found.notes, *tuning.earlier]
        return Outcome(said, winner.number, good, _plain(found.gains), notes=notes)


def _plain(gains: Sequence[Gain]) -> list[dict[str, object]]:
    return [asdict(each) for each in gains]


def _noting(outcome: Outcome, note: str) -> Outcome:
    """With a note that ends in one full stop: of an error's message it is there already."""
    return replace(outcome, notes=[f"{note.removesuffix('.')}.", *outcome.notes])
