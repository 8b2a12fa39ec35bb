"""What a step reads and computes, against counts made by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.catalog import load_catalog
from sparkwell.catalog.described import describe_recipe
from sparkwell.catalog.recipe import Quantization
from sparkwell.planner.traffic import (
    arithmetic,
    attention_flops,
    decode_work,
    kv_read_bytes,
    matrix_parameters,
    prefill_chunks,
    prefill_work,
    touched_experts,
    weights_read_bytes,
)

CATALOG = load_catalog()
DENSE = describe_recipe(CATALOG.get("qwen3-32b-fp8"))
SPARSE = describe_recipe(CATALOG.get("qwen3-30b-a3b-fp8"))
TIED = describe_recipe(CATALOG.get("demo-llama"))


# Bytes a token from the facts' table: FP8 matrices with their scales, and a BF16 head.
@pytest.mark.parametrize(
    ("model", "gigabytes"),
    [
        ("llama33-70b-fp8", 70.56),
        ("qwen3-32b-fp8", 32.77),
        ("qwen3-32b", 63.97),
        ("llama31-8b-fp8", 8.03),
        ("qwen3-8b-fp8", 8.19),
        ("mistral-nemo-12b-fp8", 12.25),
        ("qwen3-30b-a3b-fp8", 3.37),
    ],
)
def test_bytes_of_one_token(model: str, gigabytes: float) -> None:
    found = weights_read_bytes(describe_recipe(CATALOG.get(model)), 1)
    assert found / 1e9 == pytest.approx(gigabytes, abs=0.006)


@pytest.mark.parametrize(("tokens", "experts"), [(1, 8), (4, 29), (16, 82), (64, 126)])
def test_experts_that_a_batch_touches(tokens: int, experts: int) -> None:
    moe = SPARSE.shape.moe
    assert moe is not None
    assert round(touched_experts(moe, tokens)) == experts


@given(st.integers(1, 100_000), st.integers(1, 1000))
def test_a_larger_step_reads_more_but_less_for_each_token(tokens: int, more: int) -> None:
    for model in (DENSE, SPARSE):
        small, large = (weights_read_bytes(model, count) for count in (tokens, tokens + more))
        assert small <= large <= model.parts.total
        assert large / (tokens + more) <= small / tokens


def test_a_tied_embedding_is_read_once_as_the_head() -> None:
    assert TIED.parts.head_bytes == 0
    expected = TIED.parts.total - TIED.parts.rotary_bytes
    assert weights_read_bytes(TIED, 1) == expected


def test_a_sliding_window_bounds_what_is_read() -> None:
    shape = DENSE.shape.model_copy(update={"sliding_window": 1000, "sliding_layers": 32})
    assert kv_read_bytes(DENSE.shape, 64, 5000) == 64 * 5000
    assert kv_read_bytes(shape, 64, 5000) == 32 * 5000 + 32 * 1000
    assert kv_read_bytes(shape, 64, 500) == 64 * 500
    assert attention_flops(shape, 5000) == 4 * 8192 * 32 * (5000 + 1000)


def test_operations_of_a_token() -> None:
    work = decode_work(DENSE, 262_144, 1000, 3)
    assert matrix_parameters(DENSE.shape) == 31_205_621_760
    assert work.matrix_flops == 3 * 2 * 31_205_621_760
    assert work.other_flops == 3 * (4 * 8192 * 64 * 1000 + 2 * 151_936 * 5120)
    assert work.kv_bytes == 3 * 1000 * 262_144


def test_only_active_experts_are_computed() -> None:
    # 48 layers: attention, the router, and 8 experts of 3 x 2048 x 768.
    layer = 18_874_368 + 2048 * 128 + 8 * 3 * 2048 * 768
    assert matrix_parameters(SPARSE.shape) == 48 * layer


def test_a_prompt_is_prefilled_in_chunks() -> None:
    assert [prefill_chunks(tokens, 512) for tokens in (0, 1, 512, 513, 5000)] == [1, 1, 1, 2, 10]
    whole, pieces = prefill_work(DENSE, 4096, 8192), prefill_work(DENSE, 4096, 512)
    assert pieces.matrix_flops == whole.matrix_flops
    assert pieces.weights_bytes == pytest.approx(8 * whole.weights_bytes, rel=0.01)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (Quantization(method="fp8", weight_bits=8, activation="dynamic"), "fp8"),
        (Quantization(method="modelopt", weight_bits=8, activation="static"), "fp8"),
        (Quantization(method="compressed-tensors", weight_bits=8), "bf16"),
        (Quantization(method="awq", weight_bits=4), "bf16"),
        (Quantization(method="mxfp4", weight_bits=4), "bf16"),
        (Quantization(method="nvfp4", weight_bits=4), "fp4"),
        (Quantization(method="none", weight_bits=16), "bf16"),
    ],
)
def test_the_arithmetic_of_a_quantization(how: Quantization, expected: str) -> None:
    assert arithmetic(how) == expected
