"""config.json to ModelShape: against transformers, the catalog, and files that lie."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.catalog.files import FP8_BLOCKS, QWEN3_8B, QWEN3_8B_FP8, TINY

from sparkwell.catalog import load_catalog
from sparkwell.catalog.families import FAMILIES, UnknownArchitectureError
from sparkwell.catalog.hf_config import ConfigReading, read_config
from sparkwell.core.errors import DocumentError, SparkwellError

CATALOG = load_catalog()
HEADS = TINY | {"head_dim": 16, "num_hidden_layers": 6}
SPARSE = {"num_experts_per_tok": 2, "moe_intermediate_size": 32}

# Family, what its config.json has beside HEADS, and the weights of transformers 5.19's own class
# built from it on the meta device, without those that `uncounted` names.
COUNTED: dict[str, tuple[dict[str, Any], int]] = {
    "llama": ({}, 275_264),
    "mistral": ({}, 275_264),
    "qwen2": ({"head_dim": None}, 214_400),
    "qwen3": ({}, 275_456),
    "mixtral": ({"num_local_experts": 4, "num_experts_per_tok": 2}, 608_576),
    "qwen2_moe": (
        {
            **SPARSE,
            "head_dim": None,
            "num_experts": 4,
            "shared_expert_intermediate_size": 48,
            "mlp_only_layers": [1],
        },
        292_800 - 320,
    ),
    "qwen3_moe": ({**SPARSE, "num_experts": 4, "decoder_sparse_step": 2}, 294_656),
    "gemma": ({}, 254_784),
    "gemma2": ({}, 255_552),
    "gemma3_text": ({"sliding_window": 32}, 255_744),
    "phi3": ({"head_dim": None}, 213_824),
    "granite": ({"head_dim": None}, 213_824),
    "seed_oss": ({"attention_bias": True}, 276_416),
    "gpt_oss": (
        {"num_local_experts": 4, "num_experts_per_tok": 2, "attention_bias": True},
        616_328 - 6_216,
    ),
    "glm4_moe": (
        {
            **SPARSE,
            "n_routed_experts": 4,
            "n_shared_experts": 2,
            "first_k_dense_replace": 1,
            "use_qk_norm": True,
        },
        368_896,
    ),
}


def config(kind: str, base: dict[str, Any] = HEADS, **changes: Any) -> dict[str, Any]:
    """A config.json of that family; None leaves a key out."""
    own = {"model_type": kind, "architectures": [FAMILIES[kind].hf_class]}
    every = base | own | COUNTED[kind][0] | changes
    return {key: value for key, value in every.items() if value is not None}


def read(said: Any, **more: Any) -> ConfigReading:
    return read_config(json.dumps(said), "config.json", **more)


def complaint(said: Any, kind: type[SparkwellError] = DocumentError) -> str:
    with pytest.raises(kind) as caught:
        read(said)
    assert caught.value.message.startswith("config.json")
    assert len(caught.value.message) < 2000
    return str(caught.value)


# ── what is right ───────────────────────────────────────────────────────────────────────────


def test_every_family_is_counted() -> None:
    assert set(COUNTED) == set(FAMILIES)


@pytest.mark.parametrize("kind", FAMILIES)
def test_weights_are_those_of_transformers(kind: str) -> None:
    assert read(config(kind)).shape.total_parameters == COUNTED[kind][1]


@pytest.mark.parametrize("kind", ["qwen2_moe", "gpt_oss", "glm4_moe"])
def test_what_a_shape_has_no_field_for_is_said(kind: str) -> None:
    assert read(config(kind)).uncounted
    assert not read(config("llama")).uncounted
    assert read(config("llama", mlp_bias=True)).uncounted == ("biases of the MLPs",)


def test_qwen3_8b_is_the_recipes_shape() -> None:
    reading = read(QWEN3_8B_FP8)
    recipe = CATALOG.get("qwen3-8b-fp8")
    # The 32,768 tokens and YaRN's 131,072 are the model card's; the file does not have them.
    own = {"native_context": 40960, "extended_context": None}
    assert reading.shape == recipe.architecture.model_copy(update=own)
    assert reading.quantization == recipe.quantization.model_copy(
        update={"unquantized": ("embed_tokens", "norms"), "notes": None}
    )
    assert reading.rotary_positions == 40960
    assert reading.notes == ()


def test_a_mixture_of_experts_is_the_recipes_shape() -> None:
    shape = CATALOG.get("qwen3-30b-a3b-fp8").architecture
    said = QWEN3_8B | {
        "architectures": ["Qwen3MoeForCausalLM"],
        "model_type": "qwen3_moe",
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_hidden_layers": 48,
        "num_key_value_heads": 4,
        "max_position_embeddings": 262144,
        "rope_theta": 10000000,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
        "moe_intermediate_size": 768,
        "num_experts": 128,
        "num_experts_per_tok": 8,
    }
    gates = [f"model.layers.{layer}.mlp.gate" for layer in range(48)]
    names = {"modules_to_not_convert": ["lm_head", *gates]}
    reading = read(said | {"quantization_config": FP8_BLOCKS | names})
    assert reading.shape == shape
    assert reading.quantization.unquantized == ("embed_tokens", "norms", "lm_head", "mlp.gate")
    assert reading.uncounted == ()


def test_the_head_is_narrower_than_the_hidden_size_allows_where_it_says_so() -> None:
    """Mistral NeMo: 5,120 / 32 is 160, its heads have 128."""
    said = HEADS | {"hidden_size": 5120, "num_attention_heads": 32, "head_dim": 128}
    assert read(config("mistral", said)).shape.head_dim == 128
    assert read(config("mistral", said, head_dim=None)).shape.head_dim == 160


@pytest.mark.parametrize(("kind", "width"), [("qwen3", 128), ("gemma", 256), ("gpt_oss", 64)])
def test_a_missing_head_dim_is_what_transformers_assumes(kind: str, width: int) -> None:
    assert read(config(kind, head_dim=None)).shape.head_dim == width


def test_missing_key_heads_are_one_each_only_where_transformers_says_so() -> None:
    assert read(config("llama", num_key_value_heads=None)).shape.num_key_value_heads == 8
    said = complaint(config("mistral", num_key_value_heads=None))
    assert "num_key_value_heads: this key is required for a mistral model" in said


@pytest.mark.parametrize(("kind", "tied"), [("llama", False), ("gemma2", True), ("phi3", False)])
def test_a_missing_tie_is_what_transformers_assumes(kind: str, tied: bool) -> None:
    assert read(config(kind)).shape.tie_word_embeddings is tied
    assert read(config(kind, tie_word_embeddings=not tied)).shape.tie_word_embeddings is not tied


def test_a_missing_class_is_the_familys() -> None:
    assert read(config("llama", architectures=None)).shape.hf_class == "LlamaForCausalLM"


def test_dtype_by_its_old_and_its_new_name() -> None:
    assert read(config("llama", torch_dtype="float16")).quantization.dtype == "float16"
    assert read(config("llama", dtype="float16")).quantization.dtype == "float16"
    assert read(config("llama", dtype="float32")).quantization.dtype == "bfloat16"


# ── sliding windows ─────────────────────────────────────────────────────────────────────────

EVEN = ["sliding_attention", "full_attention"]


@pytest.mark.parametrize(
    ("kind", "changes", "found"),
    [
        ("llama", {}, (None, 0)),
        ("mistral", {}, (4096, 6)),  # transformers' default for a file without the key
        ("mistral", {"sliding_window": 1024}, (1024, 6)),
        ("mixtral", {"sliding_window": 128}, (128, 6)),
        ("phi3", {"sliding_window": 2047}, (2047, 6)),
        ("mistral", {"sliding_window": 0}, (None, 0)),
        ("qwen2", {"sliding_window": 128}, (None, 0)),  # use_sliding_window is missing
        ("qwen2", {"sliding_window": 128, "use_sliding_window": False}, (None, 0)),
        (
            "qwen2",
            {"sliding_window": 128, "use_sliding_window": True, "max_window_layers": 4},
            (128, 2),
        ),
        (
            "qwen3",
            {"sliding_window": 128, "use_sliding_window": True, "max_window_layers": 6},
            (None, 0),
        ),
        ("qwen3", {"sliding_window": 128, "use_sliding_window": True}, (None, 0)),
        ("gemma2", {}, (4096, 3)),
        ("gemma3_text", {}, (32, 5)),
        ("gemma3_text", {"num_hidden_layers": 26}, (32, 22)),
        ("gemma3_text", {"sliding_window_pattern": 3}, (32, 4)),
        ("gemma3_text", {"_sliding_window_pattern": 2}, (32, 3)),
        ("gpt_oss", {}, (128, 3)),
        ("gpt_oss", {"layer_types": EVEN * 3}, (128, 3)),
        ("gemma2", {"layer_types": ["full_attention"] * 6}, (None, 0)),
        ("gemma2", {"layer_types": ["sliding_attention"] * 6}, (4096, 6)),
    ],
)
def test_windows(kind: str, changes: dict[str, Any], found: tuple[int | None, int]) -> None:
    shape = read(config(kind, **changes)).shape
    assert (shape.sliding_window, shape.sliding_layers) == found


def test_null_is_no_window() -> None:
    said = config("mistral") | {"sliding_window": None}
    assert read(said).shape.sliding_window is None


def test_layer_types_of_another_length() -> None:
    said = complaint(config("gemma2", layer_types=["full_attention"]))
    assert "layer_types has 1 entries, num_hidden_layers is 6" in said


# ── how far positions reach ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("longest", "scaling", "found"),
    [
        (40960, None, (40960, None, 40960)),
        (40960, {"rope_type": "default"}, (40960, None, 40960)),
        # what Qwen's model card tells people to add
        (
            40960,
            {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
            (32768, 131072, 131072),
        ),
        (32768, {"type": "yarn", "factor": 4.0}, (32768, 131072, 131072)),
        # gpt-oss: made with YaRN, and the file has the length after it
        (
            131072,
            {"rope_type": "yarn", "factor": 32.0, "original_max_position_embeddings": 4096},
            (131072, None, 131072),
        ),
        (
            131072,
            {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192},
            (131072, None, 131072),
        ),
        (131072, {"type": "longrope", "factor": 32}, (131072, None, 131072)),
        (4096, {"type": "linear", "factor": 4.0}, (4096, 16384, 16384)),
        (4096, {"type": "dynamic", "factor": 2.0}, (4096, 8192, 8192)),
        (4096, {"type": "linear", "factor": 1.0}, (4096, None, 4096)),
        (4096, {"type": "yarn", "factor": None}, (4096, None, 4096)),
    ],
)
@pytest.mark.parametrize("key", ["rope_scaling", "rope_parameters"])
def test_contexts(key: str, longest: int, scaling: Any, found: tuple[int, Any, int]) -> None:
    reading = read(config("qwen3", max_position_embeddings=longest) | {key: scaling})
    shape = reading.shape
    assert (shape.native_context, shape.extended_context, reading.rotary_positions) == found
    assert shape.max_position_embeddings == longest
    assert reading.notes == ()


def test_theta_in_either_place() -> None:
    assert read(config("llama", rope_theta=5e5)).shape.rope_theta == 5e5
    assert read(config("llama", rope_parameters={"rope_theta": 7.0})).shape.rope_theta == 7.0
    both = {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e4}}
    assert read(config("gemma3_text", rope_parameters=both)).shape.rope_theta == 1e6
    assert read(config("llama")).shape.rope_theta == 10_000


def test_gemma3s_length_is_scaled_already() -> None:
    scaled = {"rope_type": "linear", "factor": 8.0}
    assert read(config("gemma3_text", rope_scaling=scaled)).shape.extended_context is None


def test_unknown_scaling_is_said() -> None:
    (note,) = read(config("llama", rope_scaling={"type": "spiral"})).notes
    assert "'spiral' is not known" in note


@pytest.mark.parametrize("factor", ["4", -1, 0, 1e300, [4]])
def test_scaling_that_is_none(factor: Any) -> None:
    said = config("llama", rope_scaling={"type": "linear", "factor": factor})
    if factor == "4":
        said["rope_scaling"]["factor"] = "four"
    assert "rope scaling: factor: should be" in complaint(said)


# ── what cannot be computed ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("said", "names", "why"),
    [
        (
            {"architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3"}
            | {"kv_lora_rank": 512},
            "DeepseekV3ForCausalLM / deepseek_v3",
            "latent attention",
        ),
        (
            {"architectures": ["Qwen3NextForCausalLM"], "model_type": "qwen3_next"}
            | {"linear_num_value_heads": 32},
            "Qwen3NextForCausalLM",
            "linear attention",
        ),
        ({"model_type": "mamba", "state_size": 16}, "mamba", "state-space"),
        ({"model_type": "falcon_h1", "mamba_d_state": 16}, "falcon_h1", "Mamba layers"),
        (
            {"model_type": "llama", "layer_types": ["full_attention", "linear_attention"]},
            "llama",
            "layers of the kind 'linear_attention'",
        ),
        ({"model_type": "llama", "kv_lora_rank": 8}, "llama", "latent attention"),
        ({"model_type": "t5", "is_encoder_decoder": True}, "t5", "encoder-decoder"),
        ({"model_type": "gemma3", "text_config": {"a": 1}}, "gemma3", "more than text"),
        ({"model_type": "llama4_text"}, "llama4_text", "not one of those"),
        (
            {"model_type": "nemotron-nas", "block_configs": [{}]},
            "nemotron-nas",
            "different numbers",
        ),
        ({"model_type": 7}, "a model that names no model_type", "not one of those"),
        ({}, "a model that names no model_type", "not one of those"),
    ],
)
def test_unknown_architectures(said: dict[str, Any], names: str, why: str) -> None:
    found = complaint(
        TINY | {"model_type": None, "architectures": None} | said, UnknownArchitectureError
    )
    assert f"the KV cache of {names}" in found
    assert why in found
    assert "read the size of the KV cache from its log" in found
    assert "qwen3_moe" in found


def test_another_class_of_a_known_family() -> None:
    said = config("qwen3", architectures=["Qwen3ForSequenceClassification"])
    found = complaint(said, UnknownArchitectureError)
    assert "architectures says 'Qwen3ForSequenceClassification'" in found
    assert "Qwen3ForCausalLM" in found


# ── what lies ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_key_value_heads": 3}, "(3) does not divide num_attention_heads (8)"),
        ({"num_key_value_heads": 16}, "num_key_value_heads (16) does not divide"),
        ({"num_attention_heads": 7, "num_key_value_heads": 7, "head_dim": None},
         "num_attention_heads (7) does not divide hidden_size (64)"),
        ({"hidden_size": 0}, "hidden_size: should be greater than 0, got 0"),
        ({"hidden_size": -64}, "hidden_size: should be greater than 0, got -64"),
        ({"hidden_size": 64.0}, "hidden_size: should be a valid integer, got 64.0"),
        ({"hidden_size": "64"}, "hidden_size: should be a valid integer, got '64'"),
        ({"hidden_size": True}, "hidden_size: should be a valid integer, got True"),
        ({"hidden_size": [64]}, "hidden_size: should be a valid integer, got [64]"),
        ({"hidden_size": 2**40}, "hidden_size: should be less than or equal to 134217728"),
        ({"hidden_size": None}, "hidden_size: this key is required and missing"),
        ({"vocab_size": None}, "vocab_size: this key is required and missing"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers: should be less than"),
        ({"max_position_embeddings": None}, "max_position_embeddings: this key is required"),
        ({"head_dim": -1}, "head_dim: should be greater than 0"),
        ({"layer_types": "all"}, "layer_types: should be a valid list"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings: should be a valid boolean"),
        ({"num_experts": 8}, "8 experts, but a llama model has none"),
        ({"rope_scaling": "yarn"}, "rope_scaling: should be a valid dictionary"),
        ({"rope_theta": 0}, "rope_theta: should be greater than 0"),
        ({"architectures": "Llama"}, "architectures: should be a valid list"),
    ],
)  # fmt: skip
def test_lies(changes: dict[str, Any], said: str) -> None:
    base = {key: value for key, value in HEADS.items() if changes.get(key, 0) is not None}
    assert said in complaint(base | {key: v for key, v in changes.items() if v is not None})


def test_all_lies_come_at_once() -> None:
    said = complaint(HEADS | {"hidden_size": 0, "vocab_size": 0})
    assert "hidden_size" in said
    assert "vocab_size" in said


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("qwen3_moe", {"num_experts": None}, "num_experts: this key is required"),
        ("qwen3_moe", {"num_experts_per_tok": None}, "num_experts_per_tok: this key is required"),
        ("qwen3_moe", {"moe_intermediate_size": None}, "moe_intermediate_size: this key is"),
        ("qwen3_moe", {"num_experts_per_tok": 5}, "must not exceed num_experts (4)"),
        ("qwen3_moe", {"decoder_sparse_step": 9}, "moe.dense_layers (6) must be fewer"),
        ("glm4_moe", {"first_k_dense_replace": 99}, "moe.dense_layers (6) must be fewer"),
    ],
)
def test_lies_about_experts(kind: str, changes: dict[str, Any], said: str) -> None:
    assert said in complaint(config(kind, **changes))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "config.json:1: this is not JSON"),
        ('{"model_type": "llama",\n oops}', "config.json:2: this is not JSON"),
        ("[]", "config.json: expected a JSON object, got []"),
        ('{"hidden_size": NaN}', "NaN is not a number"),
        ('{"hidden_size": 1, "hidden_size": 2}', "'hidden_size': this key is there twice"),
        ("[" * 100_000, "nested too deeply"),
        (b'{"a": "\xff"}', "config.json: this is not text in UTF-8"),
    ],
)
def test_files_that_are_no_json(text: str | bytes, said: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_config(text, "config.json")
    assert said in caught.value.message


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=4),
    st.lists(st.integers(-2, 9), max_size=3), st.dictionaries(st.text(max_size=3), st.integers()),
)  # fmt: skip


KEYS = [
    *sorted(config("qwen2_moe") | config("gpt_oss")),
    *("rope_scaling", "quantization_config", "layer_types", "sliding_window", "text_config"),
]


@given(st.sampled_from(sorted(COUNTED)), st.dictionaries(st.sampled_from(KEYS), values, max_size=3))
def test_no_value_ends_in_anything_but_our_own_errors(kind: str, changes: dict[str, Any]) -> None:
    try:
        reading = read(config(kind) | changes)
    except SparkwellError:
        return
    assert reading.shape.total_parameters > 0
