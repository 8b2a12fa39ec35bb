"""Plans side by side: which figures are rows, and which of them is the best."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.catalog import load_catalog
from sparkwell.catalog.described import describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import UsageError
from sparkwell.engines.vllm import rules_for
from sparkwell.hardware.description import find_machine
from sparkwell.planner.compare import Candidate, Comparison, Row, compare, together_at
from sparkwell.planner.plan import Plan, make_plan
from sparkwell.planner.question import Question

CATALOG = load_catalog()
FLAGS: dict[str, FlagValue] = {
    "max_model_len": 32768,
    "max_num_seqs": 32,
    "max_num_batched_tokens": 8192,
    "gpu_memory_utilization": 0.85,
}


def plan(name: str, **flags: FlagValue) -> Plan:
    described = describe_recipe(CATALOG.get(name))
    question = Question(described, find_machine("dgx-spark"), rules_for("0.25.0"), FLAGS | flags)
    return make_plan(question)


DENSE, SPARSE, SMALL = plan("qwen3-32b-fp8"), plan("qwen3-30b-a3b-fp8"), plan("qwen3-8b-fp8")
SPEED = DENSE.speed


def columns(*plans: Plan | None) -> list[Candidate]:
    missing = UsageError("There is no such model.")
    return [
        Candidate(f"m{place}", "balanced", each, None if each else missing)
        for place, each in enumerate(plans)
    ]


def row(comparison: Comparison, name: str) -> Row:
    (found,) = [row for row in comparison.rows if row.name == name]
    return found


def test_the_best_of_each_row() -> None:
    made = compare(columns(DENSE, SPARSE, SMALL), (8,))
    assert row(made, "single_tokens_per_s").best == (1,)
    assert row(made, "weights_bytes").best == (2,)
    assert row(made, "ttft_s").best == (2,)
    weights = row(made, "weights_bytes")
    assert weights.values == tuple(each.memory.weights for each in (DENSE, SPARSE, SMALL))
    assert (weights.unit, weights.better) == ("bytes", "less")


def test_what_is_neither_good_nor_bad_has_no_best() -> None:
    made = compare(columns(DENSE, SPARSE))
    for name in ("parameters", "kv_cache_bytes", "overhead_bytes", "download_bytes"):
        assert row(made, name).best == ()


def test_what_does_not_fit_is_never_the_best() -> None:
    greedy = plan("qwen3-8b-fp8", gpu_memory_utilization=0.99)
    assert not greedy.fits
    made = compare(columns(DENSE, SPARSE, greedy))
    tokens = row(made, "kv_cache_tokens")
    assert greedy.memory.kv_tokens > SPARSE.memory.kv_tokens
    assert tokens.best == (1,)


def test_a_model_without_a_plan_keeps_its_column() -> None:
    made = compare(columns(DENSE, None, SMALL))
    weights = row(made, "weights_bytes")
    assert weights.values[1] is None
    assert weights.best == (2,)
    assert [each.fits for each in made.candidates] == [True, False, True]


def test_one_alone_and_equals_have_no_best() -> None:
    assert all(row.best == () for row in compare(columns(DENSE, None)).rows)
    assert all(row.best == () for row in compare(columns(DENSE, DENSE)).rows)


def test_two_of_three_can_share_the_first_place() -> None:
    made = compare(columns(SPARSE, DENSE, SPARSE))
    assert row(made, "single_tokens_per_s").best == (0, 2)


def test_requests_of_different_lengths_do_not_compare() -> None:
    short = plan("qwen3-8b-fp8", max_model_len=8192)
    made = compare(columns(DENSE, short))
    assert row(made, "max_concurrency").best == ()
    assert row(made, "kv_cache_tokens").best == (1,)
    same = compare(columns(DENSE, SMALL))
    assert row(same, "max_concurrency").best == (1,)


def test_rows_for_requests_at_once_ascend_and_leave_out_the_single_stream() -> None:
    made = compare(columns(DENSE, SMALL), (8, 1, 2, 8))
    names = [row.name for row in made.rows if row.name.startswith("tokens_per_s_at_")]
    assert names == ["tokens_per_s_at_2", "tokens_per_s_at_8"]


def test_an_unknown_speed_is_none() -> None:
    made = compare(columns(replace(DENSE, speed=None), SMALL), (8,))
    for name in ("single_tokens_per_s", "tokens_per_s_at_8", "ttft_s"):
        assert row(made, name).values[0] is None
        assert row(made, name).best == ()


def test_labels_name_the_profile_where_a_model_has_several() -> None:
    one = [Candidate("a", "balanced", DENSE), Candidate("b", "balanced", SMALL)]
    assert compare(one).labels == ("a", "b")
    two = [Candidate("a", "balanced", DENSE), Candidate("a", "guide", DENSE)]
    assert compare(two).labels == ("a (balanced)", "a (guide)")


def test_the_rate_at_the_speeds_own_points() -> None:
    assert SPEED is not None
    for entry in SPEED.batched:
        found = together_at(SPEED, entry.concurrency)
        assert (found.concurrency, found.tokens_per_s) == (entry.concurrency, entry.tokens_per_s)


def test_beyond_what_runs_at_once_the_rate_stays() -> None:
    assert SPEED is not None
    most = SPEED.batched[-1]
    found = together_at(SPEED, 1000)
    assert (found.concurrency, found.tokens_per_s) == (most.concurrency, most.tokens_per_s)


def test_with_no_points_there_is_the_single_stream() -> None:
    assert SPEED is not None
    alone = together_at(replace(SPEED, batched=()), 8)
    assert (alone.concurrency, alone.tokens_per_s) == (1, SPEED.single_tokens_per_s)


@given(st.integers(1, 31))
def test_more_requests_are_never_slower_together(count: int) -> None:
    assert SPEED is not None
    assert together_at(SPEED, count).tokens_per_s < together_at(SPEED, count + 1).tokens_per_s


def test_between_two_points_it_is_close_to_the_estimate_itself() -> None:
    known = plan("qwen3-32b-fp8", max_num_seqs=24).speed
    assert SPEED is not None
    assert known is not None
    assert known.batched[-1].concurrency == 24
    assert together_at(SPEED, 24).tokens_per_s == pytest.approx(
        known.batched[-1].tokens_per_s, rel=0.01
    )
