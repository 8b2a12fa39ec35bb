"""The KV cache: bytes a token, windows, whole blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.planner.measured import MODELS

from sparkwell.catalog.shape import ModelShape
from sparkwell.planner import kv

SHAPE = MODELS["qwen3-8b-fp8"].shape


@pytest.mark.parametrize(
    ("model", "bytes_per_token"),
    [
        ("qwen3-8b-fp8", 147_456),
        ("qwen3-32b", 262_144),
        ("qwen3-32b-awq", 262_144),
        ("qwen3-30b-a3b-fp8", 98_304),
        ("llama33-70b-fp8", 327_680),
        ("mistral-nemo-12b-fp8", 163_840),
        ("llama31-8b-fp8", 131_072),
    ],
)
def test_keys_and_values_of_a_token_in_16_bits(model: str, bytes_per_token: int) -> None:
    assert kv.bytes_per_token(MODELS[model].shape, 2) == bytes_per_token
    assert kv.bytes_per_token(MODELS[model].shape, 1) * 2 == bytes_per_token


@given(st.sampled_from(sorted(MODELS)), st.integers(1, 300_000))
def test_without_windows_a_sequence_is_its_tokens(model: str, tokens: int) -> None:
    shape = MODELS[model].shape
    assert kv.sequence_bytes(shape, 2, tokens) == tokens * kv.bytes_per_token(shape, 2)


def windowed(layers: int, window: int) -> ModelShape:
    return SHAPE.model_copy(update={"sliding_window": window, "sliding_layers": layers})


@given(st.integers(1, 36), st.integers(16, 8192), st.integers(1, 100_000))
def test_layers_with_a_window_keep_no_more_than_it(layers: int, window: int, tokens: int) -> None:
    shape = windowed(layers, window)
    each = 2 * shape.key_value_size * 2
    full = (shape.num_hidden_layers - layers) * tokens * each
    assert kv.sequence_bytes(shape, 2, tokens) == full + layers * min(tokens, window) * each
    assert kv.sequence_bytes(shape, 2, tokens) <= tokens * kv.bytes_per_token(shape, 2)


@given(st.integers(-(2**40), 2**40), st.integers(1, 2**20), st.sampled_from((8, 16, 32, 64)))
def test_blocks_are_whole_and_no_more_than_fit(held: int, per_token: int, block: int) -> None:
    blocks = kv.whole_blocks(held, per_token, block)
    size = per_token * block
    assert blocks >= 0
    assert blocks * size <= max(0, held) < (blocks + 1) * size


@given(st.integers(0, 10**6), st.sampled_from((16, 32)), st.integers(1, 300_000))
def test_tokens_as_an_engine_reports_them(blocks: int, block: int, context: int) -> None:
    whole = kv.cache_tokens(blocks, block, context, "blocks")
    assert whole == blocks * block
    reported = kv.cache_tokens(blocks, block, context, "concurrency")
    assert reported <= whole
    if context % block == 0:
        assert whole - reported in (0, 1)  # the engine, too, cuts off what floats leave


def test_a_context_that_is_no_whole_block_takes_one_more() -> None:
    assert kv.concurrency(1000, 16, 16) == 1000
    assert kv.concurrency(1000, 16, 17) == 500
    assert kv.cache_tokens(1000, 16, 17, "concurrency") == 8500
