"""The check of a winner: the flags from before and those found, with requests new to both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sparkwell.app.tuning.document import Tuning
from sparkwell.app.tuning.rig import Rig
from sparkwell.app.tuning.steady import SteadyCase, measured
from sparkwell.app.tuning.workloads import cases, told
from sparkwell.bench.intervals import ratio
from sparkwell.bench.workload import Workload
from sparkwell.catalog.recipe import FlagValue
from sparkwell.tune.apart import MOST_REPEATS, repeats_to_show, spread
from sparkwell.tune.gain import Gain, figure_of, gains
from sparkwell.tune.goal import Goal
from sparkwell.tune.trial import Trial

Flags = dict[str, FlagValue]


@dataclass(frozen=True, slots=True)
class Checked:
    """What each workload gains; ``notes`` are doubts of figures.

    ``apart`` says how far the repeats of the first workload were apart, and how many would do.
    """

    gains: list[Gain]
    notes: list[str]
    apart: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Both are measured with the same requests, one after the other; ``tell`` hears how far."""

    rig: Rig
    tuning: Tuning
    goal: Goal
    clients: int
    repeats: int
    tell: Callable[[str], None] = lambda _: None

    async def run(self, given: Flags, tried: Flags) -> Checked:
        """Raises as the rig does.

        ``given`` start the flags from before over their profile, ``tried`` the winner's over it.
        """
        before = await self._measured(given, "flags from before")
        after = await self._measured(tried, "flags found")
        notes = [note for each in (before, after) for note in self._notes(each)]
        workload = self._said(self.tuning.loads[0])
        return Checked(
            self._gains(before, after), notes, apart(workload, self.goal, before[0], after[0])
        )

    def _gains(self, before: Sequence[SteadyCase], after: Sequence[SteadyCase]) -> list[Gain]:
        found = zip(self.tuning.loads, before, after, strict=True)
        return [
            gain
            for place, (load, one, other) in enumerate(found)
            for gain in gains(
                self.goal, self._said(load), one.figures, other.figures, tuned_on=place == 0
            )
        ]

    def _notes(self, found: Sequence[SteadyCase]) -> list[str]:
        both = zip(self.tuning.loads, found, strict=True)
        return [f"{self._said(load)}: {note}" for load, each in both for note in each.notes]

    def _said(self, load: Workload) -> str:
        return f"{told(load)}, {self.clients:,} clients"

    async def _measured(self, flags: Flags, whose: str) -> Sequence[SteadyCase]:
        self.tell(f"check, {whose}: the start")
        await self.rig.start(flags, self.tuning.profile)
        return [await self._one(place, load, whose) for place, load in enumerate(self.tuning.loads)]

    async def _one(self, place: int, load: Workload, whose: str) -> SteadyCase:
        self.tell(f"check, {whose}, {place + 1} of {len(self.tuning.loads)}: {told(load)}")
        [case] = cases(load, [self.clients])
        seed = f"{self.tuning.seed}/check/{place}"
        return await measured(self.rig, case, self.repeats, seed, self.goal.slo)


def apart(workload: str, goal: Goal, before: SteadyCase, after: SteadyCase) -> str | None:
    """How far the repeats were apart, and how many would show as much; None without a ratio."""
    one, other = (
        [figure_of(each, goal.figure) for each in side.figures] for side in (before, after)
    )
    found = ratio(one, other)
    if found is None:
        return None
    return (
        f"{workload}: {found.value:.3g} times in the mean, but repeats of the same flags were up "
        f"to {max(spread(one), spread(other)):.0%} apart. {_enough(repeats_to_show(one, other))}"
    )


def _enough(repeats: int | None) -> str:
    if repeats is None:
        return f"More than {MOST_REPEATS} repeats of each would be needed to show so much."
    return (
        f"About {repeats} repeats of each would show so much: the same command with --resume "
        f"--check-repeats {repeats}."
    )


def clients_for(goal: Goal, winner: Trial) -> int:
    """How many ask at once in a check: of a ladder, as many as the winner bore."""
    if goal.name != "concurrency":
        return goal.clients[-1]
    borne = [each for each in goal.clients if each <= (winner.value or 0.0)]
    return borne[-1] if borne else goal.clients[0]
