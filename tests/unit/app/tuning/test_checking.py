"""The check: what is gained, and what speaks against its figures, in the order of measuring."""

import asyncio

from tests.unit.app.tuning.simulated import H100, wish
from tests.unit.app.tuning.test_steady import Stalling

from sparkwell.app.tuning.beginning import begun
from sparkwell.app.tuning.checking import Check, Checked

STILL, STALLED = (0.5, 0.5), (0.5, 9.0)


def checked(rig: Stalling) -> Checked:
    tuning = begun(wish(), H100, 8192)
    return asyncio.run(Check(rig, tuning, tuning.aim, 256, 2).run({}, {}))


def test_without_a_doubt_there_is_no_note() -> None:
    found = checked(Stalling(*[STILL] * 6))
    assert found.notes == []
    assert [each.tuned_on for each in found.gains] == [True, False, False]


def test_doubts_of_both_are_noted_with_their_workload() -> None:
    """The second workload of the flags from before, then the first of those found."""
    rig = Stalling(STILL, STALLED, STALLED, STILL, STALLED, STALLED, STILL, STILL)
    first, second = checked(rig).notes
    assert first.startswith("128 in, 1,024 out, 256 clients: In repeat 2 no token came for 9.0 s")
    assert second.startswith("512 in, 256 out, 256 clients: In repeat 2 no token came for 9.0 s")
