"""A tuning from start to end, over an engine that is a formula."""

import time
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.app.tuning.simulated import BEFORE, Flags, Run, SimulatedRig, by_sequences

from sparkwell.app.tuning.document import Tuning
from sparkwell.app.tuning.rig import TrialError
from sparkwell.app.tuning.tuner import no_first
from sparkwell.bench.figures import Slo
from sparkwell.bench.suites import Case
from sparkwell.tune.trial import Trial


def outcome(tuning: Tuning) -> str:
    assert tuning.outcome is not None
    return tuning.outcome.said


def winner(tuning: Tuning) -> dict[str, object]:
    assert tuning.outcome is not None
    return next(
        dict(each.flags or {}) for each in tuning.trials if each.number == tuning.outcome.winner
    )


def test_better_flags_are_found_and_checked_on_workloads_new_to_them() -> None:
    run = Run(SimulatedRig())
    tuning = run.go()
    assert outcome(tuning) == "The gain holds."
    assert int(str(winner(tuning)["max_num_seqs"])) >= 192
    assert tuning.outcome is not None
    workloads = [(each["workload"], each["tuned_on"]) for each in tuning.outcome.gains]
    assert workloads == [
        ("512 in, 256 out, 256 clients", True),
        ("128 in, 1,024 out, 256 clients", False),
        ("8,064 in, 7,939 of them shared, 128 out, 256 clients", False),
    ]
    assert all(each["verdict"] == "better" for each in tuning.outcome.gains)


def test_the_check_asks_both_the_same_and_never_what_was_tuned_on() -> None:
    run = Run(SimulatedRig())
    run.go()
    checks = [seed for _, seed in run.rig.asked if "/check/" in seed]
    assert checks[:3] == checks[3:]
    searched = {seed for _, seed in run.rig.asked if "/check/" not in seed}
    assert not searched & set(checks)


def test_every_trial_asks_the_same() -> None:
    run = Run(SimulatedRig())
    tuning = run.go()
    seeds = [seed for _, seed in run.rig.asked if "/check/" not in seed]
    measured = [each for each in tuning.trials if each.end == "measured"]
    assert len(set(seeds)) == 2
    assert len(seeds) >= 2 * len(measured)


def test_trials_go_over_the_profile_of_the_flags_from_before() -> None:
    run = Run(SimulatedRig(), profile="guide", given={"enforce_eager": True})
    tuning = run.go()
    assert run.rig.starts[0]["profile"] == "guide"
    assert {each["profile"] for each in run.rig.starts} == {"guide"}, "all go over the same"
    assert all(each["enforce_eager"] is True for each in run.rig.starts)
    assert tuning.trials[0].values["max_num_seqs"] == 64


def test_the_plans_flags_are_tried_first_with_and_without_a_narrow_cache() -> None:
    first = Run(SimulatedRig(), most_trials=2).go().trials[1:3]
    assert [each.values["kv_cache_dtype"] for each in first] == ["fp8", None]
    assert first[0].values | {"kv_cache_dtype": None} == first[1].values
    assert int(str(first[0].values["max_num_seqs"])) > 64, "a crowd, and no few"


def test_what_is_served_stays_as_long() -> None:
    run = Run(SimulatedRig())
    run.go()
    assert {each["max_model_len"] for each in run.rig.starts} == {8192}


def test_it_is_saved_after_every_trial_and_tells_what_comes() -> None:
    run = Run(SimulatedRig(), most_trials=3)
    tuning = run.go()
    assert run.saved[: len(tuning.trials)] == list(range(1, len(tuning.trials) + 1))
    assert run.steps[0].said == "the flags from before"
    assert run.steps[-1].trial is None
    assert run.steps[-1].best is not None


def test_logs_are_kept_without_secrets() -> None:
    tuning = Run(SimulatedRig(), most_trials=1).go()
    lines = tuning.trials[0].lines
    assert lines[0] == "INFO ready"
    assert "hf_abc" not in lines[1]


def test_nothing_better_is_said() -> None:
    tuning = Run(SimulatedRig(lambda flags, _: 100.0 - 0.01 * flags["max_num_seqs"])).go()
    assert outcome(tuning) == "None of 12 other starts did better."
    assert tuning.outcome is not None
    assert (tuning.outcome.winner, tuning.outcome.holds) == (0, None)


def test_a_crash_is_a_trial_and_its_value_is_not_tried_again() -> None:
    def crash(flags: Flags) -> str | None:
        return "out of memory" if flags.get("kv_cache_dtype") == "fp8" else None

    tuning = Run(SimulatedRig(crash=crash), most_trials=14).go()
    failed = [each for each in tuning.trials if each.end == "failed"]
    assert failed
    assert all(
        (each.why, each.values["kv_cache_dtype"]) == ("out of memory", "fp8") for each in failed
    )
    assert len(failed) <= 2, "learnt"
    assert outcome(tuning) == "The gain holds."


def test_an_engine_that_dies_while_measured_is_a_trial_too() -> None:
    rig = SimulatedRig(dies=lambda flags: int(flags["max_num_seqs"]) > 128)
    tuning = Run(rig).go()
    assert any(each.end == "failed" and "cut" in str(each.why) for each in tuning.trials)
    assert int(str(winner(tuning)["max_num_seqs"])) <= 128


def test_what_the_daemon_refuses_is_written_down() -> None:
    rig = SimulatedRig(refuse=lambda flags: "full" if int(flags["max_num_seqs"]) > 128 else None)
    tuning = Run(rig).go()
    refused = [each for each in tuning.trials if each.end == "refused"]
    assert {each.why for each in refused} == {"full"}
    assert int(str(winner(tuning)["max_num_seqs"])) <= 128


def test_flags_from_before_that_do_not_serve_end_it() -> None:
    run = Run(SimulatedRig(crash=lambda _: "no such file"))
    with pytest.raises(TrialError, match="does not serve with its flags from before: no such file"):
        run.go()
    [kept] = run.tuning.trials
    assert (kept.number, kept.end, kept.why) == (0, "failed", "no such file")
    assert kept.lines[0] == "INFO ready"
    assert run.saved == [1], "written down"
    assert run.tuning.before is None
    assert run.tuning.outcome is None


def no_start(rig: SimulatedRig, **changes: Any) -> Tuning:
    """A tuning whose first start failed, as it is read from its file."""
    run = Run(rig, **changes)
    with pytest.raises(TrialError, match="does not serve with its flags from before"):
        run.go()
    return msgspec.json.decode(msgspec.json.encode(run.tuning), type=Tuning)


@pytest.mark.parametrize(
    ("rig", "end"),
    [
        (SimulatedRig(crash=lambda _: "no memory"), "failed"),
        (SimulatedRig(refuse=lambda _: "it does not fit"), "refused"),
        (SimulatedRig(dies=lambda _: True), "failed"),
    ],
)
def test_a_first_start_that_failed_is_tried_anew(rig: SimulatedRig, end: str) -> None:
    kept = no_start(rig, profile="guide", given={"enforce_eager": True})
    assert [each.end for each in kept.trials] == [end]
    run = Run(SimulatedRig(), kept)
    tuning = run.go()
    assert run.rig.starts[0]["profile"] == "guide"
    assert run.steps[0].said == "the flags from before"
    assert tuning.before is not None
    assert (tuning.before.end, tuning.before.flags) == ("measured", {**BEFORE, **tuning.given})
    assert [each.number for each in tuning.trials] == list(range(len(tuning.trials)))
    assert outcome(tuning) == "The gain holds."


def test_one_that_fails_again_is_written_down_again() -> None:
    kept = no_start(SimulatedRig(crash=lambda _: "no memory"))
    again = Run(SimulatedRig(crash=lambda _: "no such file"), kept)
    with pytest.raises(TrialError, match="no such file"):
        again.go()
    assert [(each.number, each.why) for each in again.tuning.trials] == [(0, "no such file")]


def test_the_first_is_kept_whole_with_what_the_plan_expects_of_it() -> None:
    run = Run(SimulatedRig(), most_trials=1)
    first = run.go().trials[0]
    assert first.expected is not None
    assert first.values["max_num_seqs"] == 64


def test_one_that_was_begun_without_what_the_plan_expects_gets_it() -> None:
    tuning = Run(SimulatedRig(), most_trials=1).go()
    whole = tuning.trials[0]
    tuning.trials[0] = replace(whole, expected=None)
    tuning.outcome, tuning.most_trials = None, 2
    again = Run(SimulatedRig(), tuning)
    assert again.go().trials[:1] == [whole]
    assert again.saved[0] == 2, "the others are still there"


def test_an_slo_that_nothing_meets_says_what_came_nearest() -> None:
    tuning = Run(SimulatedRig(), goal="goodput", slo=Slo(ttft_s=0.00001)).go()
    assert outcome(tuning).startswith("Nothing keeps the SLO. Trial ")
    assert "came nearest: 0% of its requests kept it" in outcome(tuning)
    assert tuning.outcome is not None
    assert tuning.outcome.winner is None


def test_concurrency_climbs_until_the_slo_breaks() -> None:
    def speed(flags: Flags, case: Case) -> float:
        return 100.0 if (case.clients or 0) <= int(flags["max_num_seqs"]) // 2 else 0.1

    tuning = Run(SimulatedRig(speed), goal="concurrency", slo=Slo(ttft_s=1.0)).go()
    before = tuning.before
    assert before is not None
    assert before.said == "32 clients at once"
    assert [each["clients"] for each in before.figures] == [1, 2, 4, 8, 16, 32, 64]
    best = max(each.value or 0.0 for each in tuning.trials)
    assert best >= 128


def begun(start_s: float, measure_s: float, budget_s: float) -> Run:
    """A tuning whose flags from before took so long."""
    tuning = Run(SimulatedRig(), most_trials=1).go()
    tuning.trials[:] = [replace(tuning.trials[0], start_s=start_s, measure_s=measure_s)]
    tuning.outcome, tuning.budget_s, tuning.most_trials = None, budget_s, 4
    tuning.spent_s = start_s + measure_s
    return Run(SimulatedRig(), tuning)


def test_time_is_kept_for_the_check() -> None:
    """A check of two repeats takes 2 x (100 + 25 x 5.5 x 2), another trial 150, the first did."""
    needed = 150 + 2 * (100 + 25 * 5.5 * 2) + 150
    tuning = begun(100, 50, needed - 5).go()
    assert outcome(tuning).startswith("There was no time for a trial")
    assert "Give --budget 18m" in outcome(tuning)
    assert tuning.outcome is not None
    assert tuning.outcome.winner is None


def test_what_takes_long_bounds_how_many_are_tried() -> None:
    needed = 150 + 2 * (100 + 25 * 5.5 * 2) + 150
    few = begun(100, 50, needed + 5).go()
    assert len([each for each in few.trials if each.started]) >= 2


def slow_with(name: str, value: str) -> SimulatedRig:
    """What no plan foresees: with one value it has a fifth of the speed."""
    return SimulatedRig(
        lambda flags, case: by_sequences(flags, case) * (0.2 if flags.get(name) == value else 1.0)
    )


def measured_once(run: Run) -> tuple[list[Trial], int]:
    """The trials that were given up, and how often the search measured a second repeat."""
    run.tuning.seed = "the same each time"
    tuning = run.go()
    seconds = [seed for _, seed in run.rig.asked if seed.endswith("/2") and "/check/" not in seed]
    return [each for each in tuning.trials if each.end == "pruned"], len(seconds)


def test_what_is_far_behind_is_given_up_after_its_first_repeat() -> None:
    """From the first trial on: the plan's own flags, which narrow the KV cache, come first."""
    run = Run(slow_with("kv_cache_dtype", "fp8"), most_trials=14)
    pruned, seconds = measured_once(run)
    slow = [
        each
        for each in run.tuning.trials
        if each.started and each.values["kv_cache_dtype"] == "fp8"
    ]
    assert slow[0].number == 1
    assert {each.end for each in slow} == {"pruned"}
    ends = [each.end for each in run.tuning.trials if each.started]
    assert seconds == ends.count("measured"), "no second repeat of those"
    assert all(each.value is not None and each.figures for each in pruned)
    assert outcome(run.tuning) == "The gain holds."


def test_under_an_slo_the_others_have_to_be_known_first() -> None:
    """Below the median of those before it, once there are five of them."""
    run = Run(
        slow_with("attention_backend", "FLASHINFER"),
        goal="goodput",
        slo=Slo(ttft_s=9.0),
        most_trials=20,
    )
    pruned, seconds = measured_once(run)
    ends = [each.end for each in run.tuning.trials if each.started]
    assert pruned
    assert ends.index("pruned") >= 5
    assert seconds == ends.count("measured")


def many(flags: Flags) -> bool:
    return int(flags["max_num_seqs"]) > 64


@pytest.mark.parametrize("rig", [SimulatedRig(hangs=many), SimulatedRig(loads=many)])
def test_the_end_of_the_budget_ends_a_trial_under_way(rig: SimulatedRig) -> None:
    """Of which two seconds are left, so that a machine that stands still for one does no harm."""
    known = Run(SimulatedRig(), most_trials=1).go()
    first = replace(known.trials[0], start_s=0.0, measure_s=0.0)
    known.trials[:], known.outcome, known.most_trials = [first], None, 12
    known.budget_s, known.spent_s = 5.0, 3.0
    began = time.monotonic()
    tuning = Run(rig, known).go()
    assert time.monotonic() - began < 20
    last = [each for each in tuning.trials if each.started][-1]
    assert (last.end, last.value, last.overran) == ("pruned", None, False)
    assert last.why == "took too long: the end of the budget came"
    assert last.lines, "with the end of its log"
    assert outcome(tuning).endswith("The time ran out.")


def test_a_trial_that_takes_far_longer_than_before_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sparkwell.app.tuning.limits.LEAST_S", 0.5)
    hanging = Run(SimulatedRig(hangs=many))
    hanging.tuning.seed = "the same each time"
    tuning = hanging.go()
    too_long = [each for each in tuning.trials if each.overran]
    assert too_long
    assert {(each.end, each.value) for each in too_long} == {("pruned", None)}
    assert str(too_long[0].why).startswith("took too long: more than ")
    crashing = Run(SimulatedRig(crash=lambda flags: "no" if many(flags) else None))
    crashing.tuning.seed = "the same each time"
    values = [each.values for each in crashing.go().trials]
    assert [each.values for each in tuning.trials] == values, "it teaches what a crash does"
    assert not many(winner(tuning))


def test_flags_from_before_have_the_whole_budget_and_no_more() -> None:
    run = Run(SimulatedRig(hangs=lambda _: True), budget_s=0.2)
    said = "with its flags from before took too long: the end of the budget came"
    with pytest.raises(TrialError, match=said) as told:
        run.go()
    assert "--budget" in str(told.value.hint)
    assert [(each.number, each.end) for each in run.tuning.trials] == [(0, "pruned")]
    assert run.saved == [1], "written down"
    assert run.tuning.before is None


@pytest.mark.parametrize("lines", [[], ["INFO loading"]])
@pytest.mark.parametrize("end", ["pruned", "refused", "failed"])
def test_only_of_a_log_that_was_kept_the_end_is_promised(end: Any, lines: list[str]) -> None:
    """A start that took too long is taken back, and its log with it."""
    trial = Trial(number=0, values={}, end=end, at=0.0, why="took too long", lines=lines)
    hint = str(no_first("m", trial).hint)
    assert ("`sparkwell tune show` has the end of its log" in hint) is bool(lines)
    assert "sparkwell" in hint or "--budget" in hint


def test_a_check_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is the check: what the search found is kept."""
    monkeypatch.setattr("sparkwell.app.tuning.ledger.LEAST_S", 0.05)
    searched = Run(SimulatedRig(), most_trials=2).go()
    searched.outcome, searched.budget_s = None, 0.2
    rig = SimulatedRig(hangs=lambda _: any("/check/" in seed for _, seed in rig.asked))
    run = Run(rig, searched)
    with pytest.raises(TrialError, match="the check could not be made: took too long"):
        run.go()
    assert run.tuning.outcome is None


class Ended(Exception):  # noqa: N818 - it stands for Ctrl-C
    pass


def test_what_was_ended_goes_on_from_its_file() -> None:
    def ends(flags: Flags) -> str | None:
        if len(rig.starts) == 5:
            raise Ended
        return None

    rig = SimulatedRig(crash=ends)
    run = Run(rig)
    with pytest.raises(Ended):
        run.go()
    assert run.tuning.outcome is None
    text = msgspec.json.encode(run.tuning)
    again = Run(SimulatedRig(), msgspec.json.decode(text, type=Tuning))
    tuning = again.go()
    tried = [tuple(sorted(each.values.items(), key=str)) for each in tuning.trials]
    assert len(set(tried)) == len(tried), "nothing twice"
    assert [each.number for each in tuning.trials] == list(range(len(tuning.trials)))
    assert again.rig.starts[0] != run.rig.starts[0], "the flags from before are known"
    assert outcome(tuning) == "The gain holds."
