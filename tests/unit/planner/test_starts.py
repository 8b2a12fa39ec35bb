"""The table of measured starts: it adds up, covers what it must, and no plan reads it."""

import subprocess
import sys
from math import ceil

import pytest
from tests.unit.planner.measured import MACHINES, MODELS, OTHERS, STARTS, planned

from sparkwell.engines.vllm.rules import rules_for
from sparkwell.planner import kv
from sparkwell.planner.settings import CACHE_BYTES, resolve
from sparkwell.planner.starts import Start, calibration_of, left_out, load_starts

PROBED = {name: start for name, start in OTHERS.items() if start.non_torch_bytes is not None}


@pytest.mark.parametrize("name", PROBED)
def test_the_engines_own_terms_add_up_to_its_kv_cache(name: str) -> None:
    start = PROBED[name]
    total, share = start.session.total_bytes, start.flags["gpu_memory_utilization"]
    assert total is not None
    spent = (
        start.weights_bytes,
        start.peak_bytes,
        start.non_torch_bytes,
        start.graph_bytes,
    )
    budget = ceil(total * float(share))
    assert start.kv_bytes == budget - sum(each for each in spent if each is not None)


@pytest.mark.parametrize("name", PROBED)
def test_its_bytes_make_exactly_the_tokens_that_it_reported(name: str) -> None:
    start = PROBED[name]
    described, machine = MODELS[start.model], MACHINES[start.session.machine]
    rules = rules_for(start.session.engine_version)
    settings = resolve(start.flags, described, machine, rules)
    per_token = kv.bytes_per_token(described.shape, CACHE_BYTES[settings.cache_type])
    blocks = kv.whole_blocks(start.kv_bytes or 0, per_token, settings.block_tokens)
    tokens = kv.cache_tokens(
        blocks, settings.block_tokens, settings.max_model_len, rules.tokens_round
    )
    assert tokens == start.kv_tokens


def test_the_starts_cover_the_catalog_and_three_sets_of_flags() -> None:
    assert {start.model for start in OTHERS.values()} == set(MODELS)
    sets = {
        (start.flags["max_num_batched_tokens"], start.flags["max_num_seqs"])
        for start in OTHERS.values()
    }
    assert len(sets) >= 3
    types = {planned(start).kv_per_token for start in OTHERS.values()}
    assert len(types) > len(MODELS)  # models with a BF16 and an FP8 cache
    large = [start for start in OTHERS.values() if start.model == "llama33-70b-fp8"]
    assert "h200-141gb" in {start.session.machine for start in large}
    assert len(OTHERS) >= 8 + 3


def test_names_tell_the_starts_of_a_session_apart() -> None:
    assert len(STARTS) == len(load_starts())


def test_a_session_says_where_its_figures_come_from() -> None:
    for start in load_starts():
        session = start.session
        assert session.source
        assert session.date
        assert session.engine_version in session.software


def test_a_start_without_figures_is_named_and_not_compared() -> None:
    assert [each.model for each in left_out()] == ["qwen3-30b-a3b-fp8"]
    assert "time limit" in left_out()[0].why


def test_flags_of_a_session_hold_unless_the_start_has_its_own() -> None:
    fast = next(start for start in load_starts() if start.name == "70b-speed2")
    assert fast.flags["gpu_memory_utilization"] == 0.95
    assert fast.flags["load_format"] == "dummy"


@pytest.mark.parametrize("name", ["32f-8192-256-fp8@NVIDIA H200"])
def test_what_a_start_teaches_is_what_it_spent(name: str) -> None:
    start = STARTS[name]
    seen = calibration_of(start, planned(start))
    assert seen.weights_bytes == start.weights_bytes
    spent = planned(start).budget - (start.kv_bytes or 0)
    assert seen.overhead_bytes == spent - seen.weights_bytes


def test_tokens_alone_teach_too() -> None:
    start = next(start for start in STARTS.values() if start.name == "spark-32b")
    seen = calibration_of(start, planned(start))
    assert planned(start, seen).kv_tokens == start.kv_tokens


def test_no_plan_reads_the_table() -> None:
    code = (
        "import sys, sparkwell.planner.memory, sparkwell.engines.vllm.rules\n"
        "sys.exit('sparkwell.planner.starts' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_start_is_a_value() -> None:
    start = load_starts()[0]
    assert isinstance(start, Start)
    assert start == load_starts()[0]
