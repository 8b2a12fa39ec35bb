"""The table of contexts, and contexts that need rope scaling."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.catalog import load_catalog
from sparkwell.catalog.described import describe_recipe
from sparkwell.core.errors import UsageError
from sparkwell.core.units import GIB
from sparkwell.engines.vllm.rules import rules_for
from sparkwell.hardware.description import find_machine
from sparkwell.planner.contexts import context_table, parse_contexts
from sparkwell.planner.fit import Case, Flags
from sparkwell.planner.plan import make_plan
from sparkwell.planner.question import Question
from sparkwell.planner.yarn import check_context, scales_rope, scaling_for, unscaled_limit

CATALOG = load_catalog()
MODELS = {recipe.name: describe_recipe(recipe) for recipe in CATALOG}
SPARK = find_machine("dgx-spark")
OLD, MID, NEW = rules_for("0.10.1.1"), rules_for("0.11.1"), rules_for("0.33.0")
QWEN, NEMO, LLAMA = (
    MODELS["qwen3-32b-fp8"],
    MODELS["mistral-nemo-12b-fp8"],
    MODELS["llama33-70b-fp8"],
)
FLAGS: Flags = {
    "gpu_memory_utilization": 0.85,
    "max_num_batched_tokens": 8192,
    "max_num_seqs": 64,
}


def test_k_is_1024_and_the_order_ascends() -> None:
    assert parse_contexts("32k, 8K,131072,8192") == (8192, 32_768, 131_072)
    assert parse_contexts("1m") == (2**20,)


@pytest.mark.parametrize(
    "text",
    ["", "8k,", "0", "0k", "-8k", "1.5k", "8kk", "k", "9" * 30, "99999999k", "8 k", "8k;16k"],
)
def test_what_is_no_context_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no context") as error:
        parse_contexts(text)
    assert "8k,32k" in str(error.value.hint)
    assert len(error.value.message) < 80


def test_too_many_are_refused() -> None:
    with pytest.raises(UsageError, match="At most 32"):
        parse_contexts(",".join(str(number) for number in range(1, 40)))


@given(st.lists(st.integers(1, 2**24), min_size=1, max_size=32))
def test_any_number_of_tokens_is_read(numbers: list[int]) -> None:
    assert parse_contexts(",".join(map(str, numbers))) == tuple(sorted(set(numbers)))


def test_the_table_of_a_32b_on_a_dgx_spark() -> None:
    rows = context_table(Case(QWEN, SPARK, OLD), FLAGS, parse_contexts("8k,32k,64k,128k,160k"))
    assert [row.kv_bytes / GIB for row in rows] == [2, 8, 16, 32, 40]
    assert [row.scaling for row in rows] == [1, 1, 2, 4, None]
    assert [row.fits for row in rows] == [True, True, True, True, False]
    assert rows[1].sequences == pytest.approx(4 * rows[3].sequences, rel=0.01)
    speeds = [row.tokens_per_s or 0 for row in rows]
    assert speeds == sorted(speeds, reverse=True)
    assert 4 < speeds[0] < 8


@pytest.mark.parametrize("more", [{}, {"tensor_parallel_size": 2}, {"tensor_parallel_size": 8}])
def test_one_stream_is_as_fast_as_in_the_plan(more: Flags) -> None:
    """On eight GPUs too, which share four KV heads."""
    machine, flags = replace(find_machine("h200-141gb"), gpus=8), {**FLAGS, **more}
    described = MODELS["qwen3-30b-a3b-fp8"]
    plan = make_plan(Question(described, machine, NEW, flags))
    assert plan.speed is not None
    (row,) = context_table(Case(described, machine, NEW), flags, (plan.speed.context,))
    assert row.tokens_per_s == plan.speed.single_tokens_per_s


def test_a_context_of_which_not_one_fits_says_so() -> None:
    (row,) = context_table(Case(LLAMA, SPARK, OLD), FLAGS, (131_072,))
    assert not row.fits
    assert 0.5 < row.sequences < 1
    assert row.scaling == 1


def test_without_a_known_bandwidth_there_is_no_speed() -> None:
    unknown = replace(SPARK, bandwidth_bytes_per_s=None)
    (row,) = context_table(Case(QWEN, unknown, OLD), FLAGS, (8192,))
    assert row.tokens_per_s is None
    assert row.fits


@given(st.integers(16, 131_072), st.integers(0, 10_000))
def test_more_context_never_fits_more_often(context: int, more: int) -> None:
    short, long = context_table(Case(QWEN, SPARK, NEW), FLAGS, (context, context + more))
    assert long.sequences <= short.sequences
    assert long.kv_bytes >= short.kv_bytes
    assert short.fits or not long.fits


def test_a_sequence_takes_whole_blocks() -> None:
    rows = context_table(Case(QWEN, SPARK, OLD), FLAGS, (1, 16, 17))
    assert [row.kv_bytes for row in rows] == [16 * 262_144, 16 * 262_144, 32 * 262_144]


@pytest.mark.parametrize(
    ("tokens", "factor"), [(40_961, 2), (65_536, 2), (65_537, 3), (98_304, 3), (131_072, 4)]
)
def test_the_factor_is_whole_and_the_smallest(tokens: int, factor: int) -> None:
    scaling = scaling_for(QWEN.shape, OLD, tokens)
    assert scaling is not None
    assert scaling.factor == factor
    assert scaling.reach >= tokens


def test_no_scaling_within_the_table_of_positions_nor_beyond_what_makers_allow() -> None:
    assert scaling_for(QWEN.shape, OLD, 40_960) is None
    assert scaling_for(QWEN.shape, OLD, 131_073) is None
    assert scaling_for(LLAMA.shape, OLD, 200_000) is None
    assert unscaled_limit(NEMO.shape) == 1_024_000


def test_the_scaling_as_each_version_wants_it() -> None:
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32_768}
    found = [scaling_for(QWEN.shape, rules, 131_072) for rules in (OLD, MID, NEW)]
    flags = [each.flag for each in found if each]
    values = [json.loads(each.value) for each in found if each]
    assert flags == ["rope_scaling", "hf_overrides", "hf_overrides"]
    assert values[0] == yarn
    assert values[1] == {"max_position_embeddings": 131_072, "rope_scaling": yarn}
    assert values[2]["rope_parameters"] == {**yarn, "rope_theta": 1_000_000}


def test_too_long_a_context_says_which_scaling_allows_it() -> None:
    with pytest.raises(UsageError, match=r"40,960 tokens, not 65,536") as error:
        check_context(QWEN, NEW, {"max_model_len": 65_536})
    hint = str(error.value.hint)
    assert "--set hf_overrides=" in hint
    assert "16.0 GiB" in hint
    assert "short texts" in hint
    with pytest.raises(UsageError) as error:
        check_context(QWEN, NEW, {"max_model_len": 65_536, "kv_cache_dtype": "fp8"})
    assert "8.0 GiB" in str(error.value.hint)


def test_beyond_all_scaling_and_without_any_it_says_that() -> None:
    with pytest.raises(UsageError) as error:
        check_context(QWEN, NEW, {"max_model_len": 131_073})
    assert "131,072, no more" in str(error.value.hint)
    with pytest.raises(UsageError) as error:
        check_context(LLAMA, NEW, {"max_model_len": 131_073})
    assert "no scaling beyond" in str(error.value.hint)


def test_the_users_own_scaling_counts() -> None:
    own = '{"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 32768}'
    check_context(QWEN, OLD, {"max_model_len": 65_536, "rope_scaling": own})
    check_context(QWEN, NEW, {"max_model_len": 65_536, "hf_overrides": f'{{"rope_scaling":{own}}}'})
    with pytest.raises(UsageError, match=r"65,536 tokens, not 65,537"):
        check_context(QWEN, OLD, {"max_model_len": 65_537, "rope_scaling": own})


@pytest.mark.parametrize("text", ["", "[]", "{", '{"factor": "much"}', '{"rope_parameters": 3}'])
def test_overrides_that_say_nothing_of_scaling_change_nothing(text: str) -> None:
    assert not scales_rope({"hf_overrides": text})
    with pytest.raises(UsageError):
        check_context(QWEN, NEW, {"max_model_len": 65_536, "hf_overrides": text})


@pytest.mark.parametrize("value", ["auto", -1, 40_960, 1])
def test_what_the_model_reaches_is_taken(value: int | str) -> None:
    check_context(QWEN, NEW, {"max_model_len": value})
    check_context(QWEN, NEW, {})
