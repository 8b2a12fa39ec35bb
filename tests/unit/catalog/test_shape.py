"""Parameter counts against sums that were made by hand from the public configurations."""

import pytest
from pydantic import ValidationError

from sparkwell.catalog import Catalog, ModelShape, load_catalog

CATALOG: Catalog = load_catalog()

# recipe: all weights, those of the linear layers, those that one token passes
COUNTS = {
    "qwen3-8b-fp8": (8_190_735_360, 6_945_767_424, 8_190_735_360),
    "qwen3-32b": (32_762_123_264, 31_205_621_760, 32_762_123_264),
    "qwen3-32b-fp8": (32_762_123_264, 31_205_621_760, 32_762_123_264),
    "qwen3-32b-awq": (32_762_123_264, 31_205_621_760, 32_762_123_264),
    "qwen3-30b-a3b-fp8": (30_532_122_624, 29_896_998_912, 3_353_032_704),
    "llama33-70b-fp8": (70_553_706_496, 68_451_041_280, 70_553_706_496),
    "mistral-nemo-12b-fp8": (12_247_782_400, 10_905_190_400, 12_247_782_400),
    "llama31-8b-fp8": (8_030_261_248, 6_979_321_856, 8_030_261_248),
}

# bytes of keys and values for one token, in 16 bits
KV_BYTES = {
    "qwen3-8b-fp8": 147_456,
    "qwen3-32b": 262_144,
    "qwen3-30b-a3b-fp8": 98_304,
    "llama33-70b-fp8": 327_680,
    "mistral-nemo-12b-fp8": 163_840,
    "llama31-8b-fp8": 131_072,
}

TINY = {
    "hf_class": "LlamaForCausalLM",
    "model_type": "llama",
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 2,
    "vocab_size": 10,
    "max_position_embeddings": 64,
    "native_context": 64,
}


def shape_of(name: str) -> ModelShape:
    return CATALOG.get(name).architecture


@pytest.mark.parametrize(("name", "counts"), COUNTS.items())
def test_counts(name: str, counts: tuple[int, int, int]) -> None:
    shape = shape_of(name)
    found = (shape.total_parameters, shape.linear_parameters, shape.active_parameters)
    assert found == counts


@pytest.mark.parametrize(("name", "expected"), KV_BYTES.items())
def test_bytes_of_keys_and_values(name: str, expected: int) -> None:
    shape = shape_of(name)
    assert 2 * shape.num_hidden_layers * shape.key_value_size * 2 == expected


def test_every_shipped_model_is_counted() -> None:
    shipped = {name for name in CATALOG.names if not name.startswith("demo-")}
    assert shipped == set(COUNTS)


def test_query_heads_of_nemo_are_narrower_than_its_hidden_size() -> None:
    shape = shape_of("mistral-nemo-12b-fp8")
    assert (shape.query_size, shape.hidden_size) == (4096, 5120)


def test_query_heads_of_qwen3_32b_are_wider_than_its_hidden_size() -> None:
    shape = shape_of("qwen3-32b")
    assert (shape.query_size, shape.hidden_size) == (8192, 5120)


def test_only_a_sparse_model_has_a_router() -> None:
    assert shape_of("qwen3-30b-a3b-fp8").router_parameters == 2048 * 128
    assert shape_of("qwen3-32b").router_parameters == 0


def test_parts_of_a_tiny_model() -> None:
    shape = ModelShape.model_validate(TINY)
    attention = 8 * 8 + 8 * 4 + 8 * 4 + 8 * 8  # q, k, v, o
    mlp = 3 * 8 * 16
    norms = 2 * (2 * 8) + 8
    assert shape.attention_parameters == attention
    assert shape.linear_parameters == 2 * (attention + mlp)
    assert shape.norm_parameters == norms
    assert shape.total_parameters == 2 * (attention + mlp) + norms + 2 * 10 * 8


def test_tied_embeddings_count_once() -> None:
    own = ModelShape.model_validate(TINY)
    tied = ModelShape.model_validate(TINY | {"tie_word_embeddings": True})
    assert own.total_parameters - tied.total_parameters == 10 * 8


def test_query_and_key_norms_have_the_width_of_a_head() -> None:
    plain = ModelShape.model_validate(TINY)
    normed = ModelShape.model_validate(TINY | {"qk_norm": True})
    assert normed.norm_parameters - plain.norm_parameters == 2 * (2 + 2)


def test_heads_must_divide() -> None:
    with pytest.raises(ValidationError, match=r"num_attention_heads \(4\) must be a multiple"):
        ModelShape.model_validate(TINY | {"num_key_value_heads": 3})


@pytest.mark.parametrize("field", ["hidden_size", "num_hidden_layers", "vocab_size"])
def test_sizes_are_positive(field: str) -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        ModelShape.model_validate(TINY | {field: 0})
