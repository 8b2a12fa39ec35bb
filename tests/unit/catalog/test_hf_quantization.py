"""What checkpoints say of their quantization, as their makers write it."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.catalog.files import FP8_BLOCKS, TINY

from sparkwell.catalog.hf_config import ConfigReading, read_config
from sparkwell.catalog.hf_schemes import UnknownQuantizationError
from sparkwell.core.errors import DocumentError, SparkwellError

WEIGHTS = {"num_bits": 8, "type": "float", "strategy": "channel", "symmetric": True}


def read(declared: Any, modelopt: Any = None) -> ConfigReading:
    said = json.dumps(TINY | ({} if declared is None else {"quantization_config": declared}))
    beside = None if modelopt is None else json.dumps(modelopt)
    return read_config(said, "config.json", beside)


def compressed(weights: dict[str, Any], inputs: Any = None, **more: Any) -> dict[str, Any]:
    group = {"targets": ["Linear"], "weights": weights, "input_activations": inputs}
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}, **more}


def found(reading: ConfigReading) -> dict[str, Any]:
    return reading.quantization.model_dump(exclude_defaults=True, exclude={"unquantized"})


def test_none() -> None:
    assert found(read(None)) == {"method": "none", "weight_bits": 16}


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (
            FP8_BLOCKS,
            {"method": "fp8", "weight_bits": 8, "activation": "dynamic", "block": (128, 128)},
        ),
        (
            {"quant_method": "fp8", "activation_scheme": "static", "ignored_layers": ["lm_head"]},
            {"method": "fp8", "weight_bits": 8, "activation": "static"},
        ),
        (
            {"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm"},
            {"method": "awq", "weight_bits": 4, "group_size": 128},
        ),
        (
            {"quant_method": "awq", "w_bit": 4, "q_group_size": 64},
            {"method": "awq", "weight_bits": 4, "group_size": 64},
        ),
        (
            {"quant_method": "gptq", "bits": 8, "group_size": 32, "desc_act": True},
            {"method": "gptq", "weight_bits": 8, "group_size": 32},
        ),
        (
            {"quant_method": "gptq", "bits": 4, "group_size": -1},
            {"method": "gptq", "weight_bits": 4, "per_channel": True},
        ),
        ({"quant_method": "mxfp4"}, {"method": "mxfp4", "weight_bits": 4, "group_size": 32}),
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": True, "load_in_8bit": False},
            {"method": "bitsandbytes", "weight_bits": 4},
        ),
        (
            {"quant_method": "modelopt", "quant_algo": "FP8"},
            {"method": "modelopt", "weight_bits": 8, "activation": "static"},
        ),
        (
            {"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16},
            {"method": "nvfp4", "weight_bits": 4, "group_size": 16},
        ),
        (
            compressed(WEIGHTS, {"num_bits": 8, "dynamic": True}),
            {"method": "compressed-tensors", "weight_bits": 8, "activation": "dynamic"}
            | {"per_channel": True},
        ),
        (
            compressed(WEIGHTS | {"strategy": "tensor"}, {"num_bits": 8, "dynamic": False}),
            {"method": "compressed-tensors", "weight_bits": 8, "activation": "static"},
        ),
        (
            compressed(WEIGHTS | {"strategy": "block", "block_structure": [128, 128]}),
            {"method": "compressed-tensors", "weight_bits": 8, "block": (128, 128)},
        ),
        (
            compressed({"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128}),
            {"method": "compressed-tensors", "weight_bits": 4, "group_size": 128},
        ),
        (
            compressed(
                {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16},
                {"num_bits": 4, "dynamic": "local"},
                format="nvfp4-pack-quantized",
            ),
            {"method": "nvfp4", "weight_bits": 4, "group_size": 16, "activation": "dynamic"},
        ),
    ],
)
def test_known_methods(declared: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found(read(declared)) == expected
    assert read(declared).notes == ()


MODELOPT = {
    "producer": {"name": "modelopt", "version": "0.23.0"},
    "quantization": {
        "quant_algo": "FP8",
        "kv_cache_quant_algo": "FP8",
        "exclude_modules": ["lm_head"],
    },
}


def test_modelopts_own_file() -> None:
    reading = read(None, MODELOPT)
    assert found(reading) == {
        "method": "modelopt",
        "weight_bits": 8,
        "activation": "static",
        "kv_cache_dtype": "fp8",
    }
    assert reading.quantization.unquantized == ("embed_tokens", "norms", "lm_head")


def test_config_json_wins_over_modelopts_file_as_in_vllm() -> None:
    assert found(read(FP8_BLOCKS, MODELOPT))["method"] == "fp8"


@pytest.mark.parametrize(
    ("more", "dtype", "said"),
    [
        ({}, None, ""),
        ({"kv_cache_scheme": None}, None, ""),
        ({"kv_cache_scheme": {"num_bits": 8, "type": "float", "dynamic": False}}, "fp8", ""),
        ({"kv_cache_quant_algo": "fp8"}, "fp8", ""),
        ({"kv_cache_quant_algo": "NVFP4"}, None, "declares a KV cache of 'NVFP4'"),
        ({"kv_cache_scheme": {"num_bits": 4, "type": "int"}}, None, "of '4 bits (int)'"),
    ],
)
def test_the_kv_cache(more: dict[str, Any], dtype: str | None, said: str) -> None:
    reading = read({"quant_method": "modelopt", "quant_algo": "FP8"} | more)
    assert reading.quantization.kv_cache_dtype == dtype
    assert said in " ".join(reading.notes)
    assert bool(reading.notes) == bool(said)


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"quant_method": "quark"}, "'quark'"),
        ({"bits": 4}, "None"),
        ({"quant_method": "awq", "bits": 8}, "'awq with 8 bits'"),
        ({"quant_method": "gptq", "bits": 5}, "'gptq with 5 bits'"),
        ({"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"}, "'modelopt MIXED_PRECIS"),
        ({"quant_method": "modelopt"}, "'modelopt without quant_algo'"),
        ({"quant_method": "bitsandbytes"}, "neither 4 nor 8 bits"),
        ({"quant_method": "compressed-tensors"}, "with 0 kinds of weights"),
        (compressed(WEIGHTS | {"num_bits": 3}), "with 3 bits (float, channel)"),
    ],
)
def test_unknown_methods_are_said(declared: dict[str, Any], said: str) -> None:
    with pytest.raises(UnknownQuantizationError) as caught:
        read(declared)
    assert said in caught.value.message
    assert "compressed-tensors" in (caught.value.hint or "")


def test_layers_in_two_formats_are_not_guessed() -> None:
    two = compressed(WEIGHTS)
    two["config_groups"]["group_1"] = {"weights": WEIGHTS | {"num_bits": 4}}
    with pytest.raises(UnknownQuantizationError, match="with 2 kinds of weights"):
        read(two)


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("fp8", "quantization_config: expected a JSON object, got 'fp8'"),
        ([1], "quantization_config: expected a JSON object"),
        (FP8_BLOCKS | {"weight_block_size": [128]}, "weight_block_size: expected rows and"),
        (FP8_BLOCKS | {"weight_block_size": [0, 128]}, "weight_block_size: expected rows and"),
        (FP8_BLOCKS | {"weight_block_size": "big"}, "weight_block_size: should be a valid list"),
        (FP8_BLOCKS | {"activation_scheme": "odd"}, "activation_scheme: should be 'dynamic' or"),
        ({"quant_method": "gptq", "bits": "4"}, "bits: should be a valid integer, got '4'"),
        ({"quant_method": "awq", "bits": 4, "group_size": 2**40}, "group_size: should be less"),
    ],
)
def test_lies(declared: Any, said: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read(declared)
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("names", "stays", "uncounted"),
    [
        (["lm_head"], ("lm_head",), ()),
        (
            ["model.layers.*.self_attn", "model.layers.*.mlp.router"],
            ("self_attn", "mlp.router"),
            (),
        ),
        (["model.layers.0.self_attn*", "model.layers.1.self_attn*"], ("self_attn",), ()),
        (["model.layers.0.self_attn"], (), ("self_attn",)),
        (["model.layers.0.mlp.gate"], ("mlp.gate",), ()),
        (["model.layers.0.mlp.down_proj"], (), ("mlp.down_proj",)),
        (["model.layers.*.mlp.down_proj"], ("mlp.down_proj",), ("mlp.down_proj",)),
    ],
)
def test_what_stays_in_16_bits(names: list[str], stays: Any, uncounted: Any) -> None:
    reading = read(FP8_BLOCKS | {"modules_to_not_convert": names})
    assert reading.quantization.unquantized == ("embed_tokens", "norms", *stays)
    assert reading.uncounted == uncounted


@given(
    st.dictionaries(
        st.sampled_from(["quant_method", "quant_algo", "bits", "group_size", "kv_cache_scheme",
                         "config_groups", "weight_block_size", "ignore", "quantization"]),
        st.none() | st.integers() | st.sampled_from(["fp8", "awq", "modelopt", "FP8"])
        | st.lists(st.text(max_size=5), max_size=2) | st.dictionaries(st.just("a"), st.none()),
    )
)  # fmt: skip
def test_nothing_ends_in_anything_but_our_own_errors(declared: dict[str, Any]) -> None:
    with suppress(SparkwellError):
        read(declared)
