"""A case in which the engine stood still is measured once more."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from tests.unit.app.tuning.simulated import SimulatedRig
from tests.unit.tune.made import measured as made

from sparkwell.app.tuning.steady import SteadyCase, measured
from sparkwell.bench.figures import Slo
from sparkwell.bench.results import Repeat
from sparkwell.bench.silences import Silence
from sparkwell.bench.suites import Case, closed
from sparkwell.bench.workload import Workload

CASE = closed(Workload(512, 256), 16)
COMPILING_S = 8.5
"""Whoever stands still for longer compiles meanwhile."""


def repeat(silence_s: float) -> Repeat:
    silence = Silence(silence_s, 16, 0.5)
    compiled = 3 if silence_s > COMPILING_S else None
    return Repeat(replace(made(), silence=silence), (), 0.0, compiled=compiled)


class Stalling(SimulatedRig):
    """Each measurement has the next of these silences, in seconds."""

    def __init__(self, *silences: Sequence[float]) -> None:
        super().__init__()
        self._silences = list(silences)

    async def measure(self, case: Case, repeats: int, seed: str, slo: Slo | None) -> list[Repeat]:
        self.asked.append((case.name, seed))
        return [repeat(each) for each in self._silences.pop(0)]


def run(rig: Stalling) -> SteadyCase:
    return asyncio.run(measured(rig, CASE, 2, "seed", None))


def test_without_a_stall_it_is_measured_once() -> None:
    rig = Stalling((0.5, 0.6))
    assert run(rig).notes == []
    assert [seed for _, seed in rig.asked] == ["seed"]


def test_with_one_it_is_measured_again_with_other_requests() -> None:
    rig = Stalling((0.5, 9.0), (0.5, 0.4))
    found = run(rig)
    assert found.notes == []
    assert [each.silence and each.silence.seconds for each in found.figures] == [0.5, 0.4]
    assert [seed for _, seed in rig.asked] == ["seed", "seed/again"]


def test_a_second_stall_is_said() -> None:
    [note] = run(Stalling((0.5, 9.0), (8.0, 0.4))).notes
    assert "In repeat 1 no token came for 8.0 s while 16 requests were out" in note
    assert "compiled" not in note


def test_and_its_cause_where_that_is_known() -> None:
    [note] = run(Stalling((0.5, 9.0), (9.1, 0.4))).notes
    assert "Kernels were compiled then (3 files in the compile cache)" in note
