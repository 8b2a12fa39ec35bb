"""What comes of a check: flags that fail it, the next best, repeats that are far apart."""

from pathlib import Path

from msgspec.structs import replace
from tests.unit.app.tuning.simulated import H100, Flags, Run, SimulatedRig, Speed, wish
from tests.unit.tune.made import measured

from sparkwell.app.tuning.beginning import begun
from sparkwell.app.tuning.document import Outcome, Tuning
from sparkwell.app.tuning.resuming import checks as checks_made
from sparkwell.app.tuning.resuming import gone_on_with
from sparkwell.bench.figures import Slo
from sparkwell.bench.results import Repeat
from sparkwell.bench.suites import Case


def outcome(tuning: Tuning) -> Outcome:
    assert tuning.outcome is not None
    return tuning.outcome


def winner(tuning: Tuning) -> dict[str, object]:
    number = outcome(tuning).winner
    return next(dict(each.flags or {}) for each in tuning.trials if each.number == number)


def only_short(flags: Flags, case: Case) -> float:
    """Many sequences gain with short answers, and lose with long ones."""
    gain = 2.0 if case.workload.output_tokens == 256 else 0.5
    return 100.0 * (gain if int(flags["max_num_seqs"]) > 64 else 1.0)


def test_a_gain_that_does_not_hold_elsewhere_is_said() -> None:
    tuning = Run(SimulatedRig(only_short)).go()
    assert outcome(tuning).said == "The gain does not hold."
    assert outcome(tuning).holds is False
    verdicts = {each["workload"]: each["verdict"] for each in outcome(tuning).gains}
    assert list(verdicts.values()) == ["better", "worse", "worse"]


def best_loses(flags: Flags, case: Case) -> float:
    """With 256 sequences short answers gain most and long ones lose; with 192 all gain."""
    sequences, is_short = int(flags["max_num_seqs"]), case.workload.output_tokens == 256
    if sequences > 192:
        return 400.0 if is_short else 50.0
    return 350.0 if sequences == 192 else 100.0


def where_the_best_loses(speed: Speed = best_loses) -> Run:
    """Nothing but the sequences is searched."""
    given = {
        "max_num_batched_tokens": 8192, "enable_prefix_caching": True, "kv_cache_dtype": "auto",
        "attention_backend": "FLASH_ATTN",
    }  # fmt: skip
    run = Run(SimulatedRig(speed), repeats=1, given=given)
    run.tuning.seed = "the same each time"
    return run


def test_where_the_best_flags_fail_the_check_the_next_best_are_checked() -> None:
    tuning = where_the_best_loses().go()
    assert outcome(tuning).said == "The gain holds."
    assert winner(tuning)["max_num_seqs"] == 192
    assert {each["verdict"] for each in outcome(tuning).gains} == {"better"}
    [note] = outcome(tuning).notes
    assert (
        " was checked first, 3 repeats: the gain does not hold (better on 512 in, 256 out" in note
    )
    assert "; worse on 128 in, 1,024 out, 256 clients; " in note


def test_where_those_fail_too_it_ends_and_both_are_told() -> None:
    run = where_the_best_loses(only_short)
    tuning = run.go()
    assert outcome(tuning).said == "The gain does not hold."
    best, [note] = outcome(tuning).winner, outcome(tuning).notes
    assert " was checked next, 3 repeats: the gain does not hold (" in note
    assert not note.startswith(f"Trial {best} ")
    checks = [seed for _, seed in run.rig.asked if "/check/" in seed]
    assert len(checks) == 2 * 2 * 3, "two sets of flags on three workloads, twice"
    [other] = tuning.earlier
    assert other.winner != best, "kept whole, as another check has to tell of it too"
    assert [each.winner for each in checks_made(tuning)] == [other.winner, best]


def test_where_the_next_best_cannot_be_checked_that_is_noted() -> None:
    run = where_the_best_loses()
    gone = SimulatedRig(
        best_loses,
        crash=lambda _: (
            "It is gone." if sum("/check/" in seed for _, seed in gone.asked) >= 6 else None
        ),
    )
    run.rig = gone
    tuning = run.go()
    assert outcome(tuning).said == "The gain does not hold."
    [note] = outcome(tuning).notes
    assert " was next: The search is done, but the check could not be made: It is gone." in note
    assert not note.endswith("..")


def test_without_time_for_a_second_check_the_first_is_all() -> None:
    tuning = where_the_best_loses().go()
    tuning.trials[:] = [replace(each, start_s=100.0) for each in tuning.trials]
    tuning.outcome, tuning.budget_s, tuning.earlier = None, 150.0, []
    again = Run(SimulatedRig(best_loses), tuning).go()
    assert outcome(again).said == "The gain does not hold."
    assert outcome(again).notes == []


def test_the_check_says_which_workload_is_measured() -> None:
    run = Run(SimulatedRig(), most_trials=3)
    run.go()
    said = [each.said for each in run.steps if each.trial is None]
    assert said == [
        *(
            f"check, {whose}{what}"
            for whose in ("flags from before", "flags found")
            for what in (
                ": the start",
                ", 1 of 3: 512 in, 256 out",
                ", 2 of 3: 128 in, 1,024 out",
                ", 3 of 3: 8,064 in, 7,939 of them shared, 128 out",
            )
        ),
    ]


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
