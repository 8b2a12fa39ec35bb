"""Which trial is used."""

import pytest
from tests.unit.tune.made import came, failed, trial

from sparkwell.bench.figures import Slo
from sparkwell.tune.goal import Goal
from sparkwell.tune.winner import best, closest_to_slo, few_kept, unmet, worth

FAST = Goal("throughput", None, (256,))


def number(found: object) -> int | None:
    return getattr(found, "number", None)


def test_the_highest_of_those_that_kept_the_slo() -> None:
    trials = [trial(0, 10.0), trial(1, 30.0, kept=False, max_num_seqs=64)]
    trials += [trial(2, 20.0, max_num_seqs=32), failed(3)]
    assert number(best(trials, FAST)) == 2


def test_none_where_none_did() -> None:
    assert best([trial(0, 5.0, kept=False), failed(1)], FAST) is None
    assert best([], FAST) is None


def test_of_those_about_as_good_the_one_that_changes_least() -> None:
    trials = [trial(0, 10.0), trial(1, 20.0, max_num_seqs=32)]
    trials += [trial(2, 20.2, max_num_seqs=32, attention_backend="FLASHINFER")]
    assert number(best(trials, FAST)) == 1


def test_a_narrow_cache_has_to_gain_enough() -> None:
    trials = [trial(0, 10.0), trial(1, 20.0, max_num_seqs=64)]
    little = trial(2, 20.8, max_num_seqs=64, kv_cache_dtype="fp8")
    assert number(best([*trials, little], FAST)) == 1
    much = trial(2, 22.0, max_num_seqs=64, kv_cache_dtype="fp8")
    assert number(best([*trials, much], FAST)) == 2


def test_a_narrow_cache_has_to_be_shown_to_be_faster() -> None:
    """As on an H200 on 2026-11-23: 12,301 ±2,556 tokens/s with it, 11,342 without."""
    wide = [trial(0, 8300.0), trial(1, 11342.0, max_num_seqs=64)]
    narrow = {"max_num_seqs": 64, "kv_cache_dtype": "fp8"}
    chance = trial(2, 12301.0, **narrow, **came(12301.0, 2556.0))
    assert number(best([*wide, chance], FAST)) == 1
    steady = trial(2, 12301.0, **narrow, **came(12301.0, 300.0))
    assert number(best([*wide, steady], FAST)) == 2


def test_where_the_flags_from_before_are_narrow_nothing_is_to_be_shown() -> None:
    before = trial(0, 12000.0, kv_cache_dtype="fp8", **came(12000.0, 2000.0))
    wide = trial(1, 10500.0, max_num_seqs=64, **came(10500.0, 200.0))
    assert number(best([before, wide], FAST)) == 0


@pytest.mark.parametrize("half", [6.0, 0.1])
def test_without_a_wide_one_the_narrow_are_what_there_is(half: float) -> None:
    good = Goal("goodput", Slo(ttft_s=2.0), (256,))
    before = trial(0, 9.0, kept=False)
    only = trial(1, 0.5, kv_cache_dtype="fp8", **came(0.5, half, "goodput"))
    assert number(best([before, only], good)) == 1


def test_a_narrow_latency_is_shown_by_its_slowest() -> None:
    quick = Goal("latency", None, (8,))
    wide, narrow = trial(0, 1 / 2.0), {"max_num_seqs": 64, "kv_cache_dtype": "fp8"}
    for half, taken in ((0.1, 1), (0.6, 0)):
        other = trial(1, 1 / 1.5, **narrow, **came(1.5, half, "e2e_p95_s"))
        assert number(best([wide, other], quick)) == taken


def test_what_came_nearest_is_named() -> None:
    trials = [trial(0, 1.0, kept=False, near=0.2)]
    trials += [trial(1, 2.0, kept=False, near=0.6, max_num_seqs=64), failed(2)]
    assert number(closest_to_slo(trials)) == 1
    said = unmet(trials)
    assert "Trial 1 (max_num_seqs=64) came nearest: 60% of its requests" in said


def test_nothing_measured_is_said_too() -> None:
    assert unmet([failed(0)]) == "No start could be measured."


def test_a_narrow_cache_has_to_be_worth_more() -> None:
    wide, narrow = trial(0), trial(1, kv_cache_dtype="fp8")
    assert (worth(narrow, wide), worth(narrow, narrow), worth(wide, wide)) == (1.05, 1.0, 1.0)


def test_where_few_keep_the_slo_even_with_the_best_that_is_said() -> None:
    goal = Goal("goodput", Slo(ttft_s=1.0), (256,))
    [said] = few_kept(goal, trial(3, near=0.12))
    assert said.startswith("Even with the best flags (trial 3) 12% of the requests kept the SLO")
    assert few_kept(goal, trial(3, near=0.6)) == []
    assert few_kept(goal, trial(3)) == []


def test_of_a_ladder_the_share_is_that_of_the_step_that_broke() -> None:
    assert few_kept(Goal("concurrency", Slo(ttft_s=1.0), (1, 2)), trial(3, near=0.12)) == []


@pytest.mark.parametrize("end", ["pruned", "failed", "refused", "passed over"])
def test_what_was_not_measured_whole_does_not_count(end: str) -> None:
    assert not trial(0, end=end).counts
    assert best([trial(0, end=end)], FAST) is None
    assert trial(0).counts
    assert not trial(0, kept=False).counts
