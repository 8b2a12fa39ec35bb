"""Measuring without the engine's stalls: a case in which it stood still is measured once more."""

from dataclasses import dataclass

from sparkwell.app.tuning.rig import Rig
from sparkwell.bench.figures import Figures, Slo
from sparkwell.bench.results import Repeat
from sparkwell.bench.stalls import stalls
from sparkwell.bench.suites import Case


@dataclass(frozen=True, slots=True)
class SteadyCase:
    """Repeats of a case, and what is to be said against them."""

    repeats: list[Repeat]
    notes: list[str]

    @property
    def figures(self) -> list[Figures]:
        """Of each repeat."""
        return [each.figures for each in self.repeats]


async def measured(rig: Rig, case: Case, repeats: int, seed: str, slo: Slo | None) -> SteadyCase:
    """All repeats of a case; a second time where the engine stood still, and then as it comes.

    A stall of ten seconds is no property of the flags, and would decide a search.
    """
    return await steady(rig, case, await rig.measure(case, repeats, seed, slo), seed, slo)


async def steady(
    rig: Rig, case: Case, found: list[Repeat], seed: str, slo: Slo | None
) -> SteadyCase:
    """What was found, or as many repeats anew."""
    if not stalls(case, found):
        return SteadyCase(found, [])
    repeats = len(found)
    again = await rig.measure(case, repeats, f"{seed}/again", slo)
    return SteadyCase(again, stalls(case, again))
