"""What comes of a check whose repeats are far apart, and of another with more of them."""

from pathlib import Path

from tests.unit.app.tuning.simulated import H100, Run, SimulatedRig, wish
from tests.unit.tune.made import measured

from sparkwell.app.tuning.beginning import begun
from sparkwell.app.tuning.document import Outcome, Tuning
from sparkwell.app.tuning.resuming import gone_on_with
from sparkwell.bench.figures import Slo
from sparkwell.bench.results import Repeat
from sparkwell.bench.suites import Case


def outcome(tuning: Tuning) -> Outcome:
    assert tuning.outcome is not None
    return tuning.outcome


class Shaky(SimulatedRig):
    """Many sequences gain, but their repeats are far apart, as they were on an H200."""

    wide, narrow = (1000.0, 1300.0), (1000.0, 1300.0)

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    async def measure(self, case: Case, repeats: int, seed: str, slo: Slo | None) -> list[Repeat]:
        found = await super().measure(case, repeats, seed, slo)
        if int(self.started.flags["max_num_seqs"]) <= 64:
            return found
        return [self._shaken(slo) for _ in range(repeats)]

    def _shaken(self, slo: Slo | None) -> Repeat:
        speeds = self.narrow if self.started.flags.get("kv_cache_dtype") == "fp8" else self.wide
        speed = speeds[self._count % 2]
        self._count += 1
        return Repeat(measured(1.0 / speed, 100, 1100 / speed, slo), (), 0.0)


def test_a_gain_that_repeats_are_too_far_apart_to_show_is_said_with_what_would() -> None:
    tuning = Run(Shaky(), most_trials=2, check_repeats=2, budget_s=1.0).go()
    assert outcome(tuning).said == "The gain was not shown."
    found = outcome(tuning)
    assert (found.holds, found.overlay, found.repeats) == (False, None, 2)
    [note] = [each for each in found.notes if "apart" in each]
    assert note.startswith("512 in, 256 out, 256 clients: 1.78 times in the mean, but repeats")
    assert "up to 30% apart. About 4 repeats of each would show so much: the same" in note


def test_with_more_repeats_it_is_shown_and_the_first_check_is_told(tmp_path: Path) -> None:
    tuning = Run(Shaky(), most_trials=2, check_repeats=2).go()
    again = gone_on_with(tuning, begun(wish(most_trials=2, check_repeats=4), H100, 8192), tmp_path)
    starts = len(tuning.trials)
    found = outcome(Run(Shaky(), again).go())
    assert found.said == "The gain holds."
    assert len(again.trials) == starts, "only the check"
    checks = [each for each in found.notes if " was checked before, 2 repeats: the" in each]
    assert len(checks) == len(again.earlier) == 1


class Lucky(Shaky):
    """With a narrow cache a tenth more in the mean, and as far apart."""

    narrow = (1100.0, 1430.0)


def test_a_narrow_cache_that_only_chance_may_have_put_first_is_not_taken() -> None:
    tuning = Run(Lucky(), most_trials=2, check_repeats=2).go()
    values = {each.number: each.values["kv_cache_dtype"] for each in tuning.trials}
    assert values == {0: None, 1: "fp8", 2: None}
    worth = [each.value or 0.0 for each in tuning.trials]
    assert worth[1] > 1.05 * worth[2]
    assert outcome(tuning).winner == 2
