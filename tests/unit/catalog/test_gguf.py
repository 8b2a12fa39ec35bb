"""GGUF headers: read quickly, checked, and turned into shapes."""

import io
import struct
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.catalog.files import Sizes, gguf, text, value, write_gguf

from sparkwell.catalog.families import UnknownArchitectureError
from sparkwell.catalog.gguf import GgufHeader, read_gguf
from sparkwell.catalog.gguf_shape import gguf_quantization, gguf_shape
from sparkwell.catalog.tensor_parts import ggml_parts
from sparkwell.core.errors import DocumentError, SparkwellError

HIDDEN, LAYERS, VOCABULARY = 256, 2, 320


def metadata(architecture: str = "qwen3", changes: Any = None, **more: Any) -> dict[str, Any]:
    """What llama.cpp's converter writes, with changes; None leaves a key out."""
    own = {
        "block_count": LAYERS,
        "context_length": 4096,
        "embedding_length": HIDDEN,
        "feed_forward_length": 512,
        "attention.head_count": 8,
        "attention.head_count_kv": 2,
        "attention.key_length": 64,
        "attention.value_length": 64,
        "rope.freq_base": 1000000.0,
    }
    every = own | (changes or {}) | more
    keys = {f"{architecture}.{key}": given for key, given in every.items() if given is not None}
    return {"general.architecture": architecture, **keys}


def sizes(*, tied: bool = False, experts: bool = False, qk_norm: bool = True) -> dict[str, Any]:
    found: dict[str, tuple[str, tuple[int, ...]]] = {
        "token_embd.weight": ("Q4_K", (VOCABULARY, HIDDEN)),
        "output_norm.weight": ("F32", (HIDDEN,)),
    }
    if not tied:
        found["output.weight"] = ("Q6_K", (VOCABULARY, HIDDEN))
    for block in range(LAYERS):
        place = f"blk.{block}"
        found[f"{place}.attn_norm.weight"] = ("F32", (HIDDEN,))
        found[f"{place}.attn_q.weight"] = ("Q4_K", (512, HIDDEN))
        if qk_norm:
            found[f"{place}.attn_q_norm.weight"] = ("F32", (64,))
        if experts:
            found[f"{place}.ffn_gate_inp.weight"] = ("F32", (4, HIDDEN))
            found[f"{place}.ffn_up_exps.weight"] = ("Q4_K", (4, 128, HIDDEN))
    return found


def read(meta: Any, tensors: Sizes, **more: Any) -> GgufHeader:
    start, whole = gguf(meta, tensors, **more)
    return read_gguf(io.BytesIO(start), whole, "x.gguf")


def complaint(start: bytes, whole: int | None = None) -> str:
    with pytest.raises(DocumentError) as caught:
        read_gguf(io.BytesIO(start), len(start) if whole is None else whole, "x.gguf")
    assert caught.value.message.startswith("x.gguf:")
    return caught.value.message


# ── the header ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("version", [2, 3])
def test_a_right_header(version: int) -> None:
    meta = {"a": True, "b": 7, "c": 0.5, "d": "x", "e": [1, 2], "f": ["t", "u"]}
    found = read(meta, {"w": ("Q4_K", (2, 256)), "n": ("F32", (3,))}, version=version)
    assert found.metadata == {"a": True, "b": 7, "c": 0.5, "d": "x", "e": (1, 2), "f": None}
    assert [(each.name, each.dtype, each.shape, each.bytes) for each in found.checkpoint] == [
        ("w", "Q4_K", (2, 256), 288),
        ("n", "F32", (3,), 12),
    ]


def test_another_alignment() -> None:
    found = read({"general.alignment": 64}, {"a": ("F32", (1,)), "b": ("F32", (1,))}, alignment=64)
    assert found.checkpoint.total_bytes == 8


def test_the_header_of_a_file_of_40_gb_with_a_vocabulary_is_quick(tmp_path: Path) -> None:
    words = [f"token{number}" for number in range(150_000)]
    meta = {"general.architecture": "qwen3", "tokenizer.ggml.tokens": words, "m": list(range(9999))}
    file = write_gguf(tmp_path / "big.gguf", meta, {"w": ("Q4_K", (300_000, 256 * 1024))})
    assert file.stat().st_size > 40e9
    began = time.process_time()
    with file.open("rb") as stream:
        found = read_gguf(stream, file.stat().st_size, "big.gguf")
        assert stream.tell() < 10e6
    assert time.process_time() - began < 2  # 0.2 s where this was written
    assert found.metadata["tokenizer.ggml.tokens"] is None
    assert found.checkpoint.total_bytes > 40e9


GOOD, WHOLE = gguf({"a": 1}, {"w": ("F32", (8,)), "v": ("F32", (8,))})
COUNTS = b"GGUF" + struct.pack("<I", 3)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"", "this GGUF file is cut"),
        (b"GGM", "this GGUF file is cut"),
        (b"PK\x03\x04" + bytes(40), "this is no GGUF file"),
        (b"GGUF" + struct.pack("<I", 1) + bytes(40), "it has version 1"),
        (b"GGUF" + struct.pack(">I", 3) + bytes(40), "it is of big-endian machines"),
        (GOOD[:30], "this GGUF file is cut"),
        (COUNTS + struct.pack("<QQ", 2**63, 0), "claims 9,223,372,036,854,775,808 tensors"),
        (COUNTS + struct.pack("<QQ", 0, 2**63) + bytes(7), "this GGUF file is cut"),
        (COUNTS + struct.pack("<QQQ", 0, 1, 2**63), "a name of 9,223,372,036,854,775,808 bytes"),
        (COUNTS + struct.pack("<QQ", 0, 1) + text("k") + struct.pack("<I", 99), "unknown kind 99"),
        (
            COUNTS + struct.pack("<QQ", 0, 1) + text("k") + struct.pack("<IQ", 8, 2**63),
            "this GGUF file is cut",
        ),
        (
            COUNTS + struct.pack("<QQ", 0, 1) + text("k") + struct.pack("<IIQ", 9, 8, 2**60),
            "'k' is a list of 1,152,921,504,606,846,976",
        ),
        (
            COUNTS + struct.pack("<QQ", 0, 1) + text("k") + struct.pack("<IIQ", 9, 0, 10**6),
            "this GGUF file is cut",
        ),
        (
            COUNTS + struct.pack("<QQ", 0, 1) + text("k") + struct.pack("<IIQ", 9, 9, 1),
            "unknown kind 9",
        ),
        (COUNTS + struct.pack("<QQ", 0, 2) + 2 * (text("k") + value(1)), "'k' is there twice"),
        (COUNTS + struct.pack("<QQ", 1, 0) + text("t") + struct.pack("<I", 9), "9 dimensions"),
        (
            COUNTS + struct.pack("<QQ", 1, 0) + text("t") + struct.pack("<IQIQ", 1, 4, 5, 0),
            "'t' has the type 5, which is not known",
        ),
        (
            COUNTS + struct.pack("<QQ", 1, 0) + text("t") + struct.pack("<IQIQ", 1, 4, 999, 0),
            "'t' has the type 999",
        ),
        (
            COUNTS + struct.pack("<QQ", 1, 0) + text("t") + struct.pack("<IQIQ", 1, 100, 12, 0),
            "'t' has the sizes (100,), which Q4_K cannot have",
        ),
        (
            COUNTS + struct.pack("<QQ", 1, 0) + text("t")
            + struct.pack("<IQQIQ", 2, 2**40, 2**40, 0, 0),
            "which F32 cannot have",
        ),
        (gguf({"general.alignment": 0}, {})[0], "general.alignment is 0"),
        (gguf({"general.alignment": "x"}, {})[0], "general.alignment is 'x'"),
    ],
)  # fmt: skip
def test_wrong_headers(start: bytes, said: str) -> None:
    assert said in complaint(start)


def test_a_file_that_is_cut_behind_its_header() -> None:
    assert "its tensors need 64 bytes, 63 are there" in complaint(GOOD, WHOLE - 1)
    assert "0 are there" in complaint(GOOD, len(GOOD))


def test_tensors_that_share_their_place_or_their_name() -> None:
    def entry(name: str, begin: int) -> bytes:
        return text(name) + struct.pack("<IQIQ", 1, 8, 0, begin)

    two = COUNTS + struct.pack("<QQ", 2, 0)
    assert "'b': this tensor lies over another" in complaint(
        two + entry("a", 0) + entry("b", 16), 999
    )
    assert "'a': this tensor is there twice" in complaint(two + entry("a", 0) + entry("a", 32), 999)


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_end_in_anything_but_a_document_error(data: bytes, begun: bool) -> None:
    start = COUNTS + data if begun else data
    with suppress(DocumentError):
        read_gguf(io.BytesIO(start), len(start), "x")


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_no_changed_byte_ends_in_anything_but_a_document_error(place: int, byte: int) -> None:
    start = GOOD[:place] + bytes([byte]) + GOOD[place + 1 :]
    with suppress(DocumentError):
        read_gguf(io.BytesIO(start), WHOLE, "x")


# ── the shape ───────────────────────────────────────────────────────────────────────────────


def shape_of(meta: Any, tensors: Sizes) -> Any:
    return gguf_shape(read(meta, tensors), "x.gguf")


def test_a_dense_model() -> None:
    shape = shape_of(metadata(), sizes())
    assert (shape.hf_class, shape.model_type) == ("Qwen3ForCausalLM", "qwen3")
    assert (shape.hidden_size, shape.intermediate_size, shape.num_hidden_layers) == (256, 512, 2)
    assert (shape.num_attention_heads, shape.num_key_value_heads, shape.head_dim) == (8, 2, 64)
    assert (shape.vocab_size, shape.native_context, shape.extended_context) == (320, 4096, None)
    assert (shape.tie_word_embeddings, shape.qk_norm, shape.rope_theta) == (False, True, 1e6)


def test_what_tensors_say() -> None:
    assert shape_of(metadata(), sizes(tied=True)).tie_word_embeddings
    assert not shape_of(metadata("llama"), sizes(qk_norm=False)).qk_norm
    biased = sizes() | {"blk.0.attn_q.bias": ("F32", (512,))}
    assert shape_of(metadata("qwen2"), biased).attention_bias == "qkv"
    both = biased | {"blk.0.attn_output.bias": ("F32", (256,))}
    assert shape_of(metadata("qwen2"), both).attention_bias == "qkvo"


def test_experts() -> None:
    own = {"expert_count": 4, "expert_used_count": 2, "expert_feed_forward_length": 128}
    shape = shape_of(metadata("qwen3moe", own), sizes(experts=True))
    assert shape.moe is not None
    assert shape.moe.model_dump(exclude_defaults=True) == {
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 128,
    }


def test_mixtral_is_llama_with_experts() -> None:
    shape = shape_of(metadata("llama", expert_count=8, expert_used_count=2), sizes())
    assert shape.model_type == "mixtral"
    assert shape.moe is not None
    assert shape.moe.moe_intermediate_size == 512
    assert shape_of(metadata("llama", expert_count=0), sizes()).moe is None


@pytest.mark.parametrize(
    ("architecture", "layers", "changes", "found"),
    [
        ("gemma2", 26, {}, (4096, 13)),
        ("gemma3", 26, {"attention.sliding_window": 1024}, (1024, 22)),
        ("gemma3", 26, {}, (None, 0)),
        ("gpt-oss", 24, {"attention.sliding_window": 128}, (128, 12)),
        ("qwen2", 24, {"attention.sliding_window": 128}, (None, 0)),
    ],
)
def test_windows(architecture: str, layers: int, changes: Any, found: Any) -> None:
    own = {"block_count": layers, "expert_count": 4, "expert_used_count": 2} | changes
    if architecture != "gpt-oss":
        own |= {"expert_count": None}
    shape = shape_of(metadata(architecture, own), sizes())
    assert (shape.sliding_window, shape.sliding_layers) == found


def test_scaled_positions() -> None:
    scaled = {"context_length": 131072, "rope.scaling.original_context_length": 32768}
    shape = shape_of(metadata("qwen3", scaled), sizes())
    assert (shape.native_context, shape.extended_context) == (32768, 131072)


def test_defaults_of_missing_keys() -> None:
    gone = {"attention.key_length": None, "attention.value_length": None, "rope.freq_base": None}
    gone["attention.head_count_kv"] = None
    shape = shape_of(metadata("qwen3", gone), sizes())
    assert (shape.head_dim, shape.num_key_value_heads, shape.rope_theta) == (32, 8, 10_000)


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        (metadata("deepseek2"), "the KV cache of 'deepseek2' cannot be computed"),
        (metadata("mamba"), "'mamba'"),
        (metadata("qwen3", {"attention.kv_lora_rank": 512}), "latent attention"),
        (metadata("qwen3", {"attention.value_length": 128}), "different widths"),
        (metadata("qwen3", {"attention.head_count_kv": [2, 4]}), "differs between its layers"),
    ],
)
def test_unknown_architectures(meta: Any, said: str) -> None:
    with pytest.raises(UnknownArchitectureError) as caught:
        shape_of(meta, sizes())
    assert said in caught.value.message
    assert "gemma3" in (caught.value.hint or "")


def test_a_list_of_equal_heads_is_one_number() -> None:
    shape = shape_of(metadata("qwen3", {"attention.head_count_kv": [2, 2]}), sizes())
    assert shape.num_key_value_heads == 2


@pytest.mark.parametrize(
    ("meta", "tensors", "said"),
    [
        ({}, sizes(), "general.architecture: this key is required and missing"),
        ({"general.architecture": 7}, sizes(), "general.architecture: this key is required"),
        (
            metadata(block_count=None),
            sizes(),
            "qwen3.block_count: this key is required and missing",
        ),
        (metadata(block_count=0), sizes(), "qwen3.block_count: should be a whole number above 0"),
        (metadata(block_count="2"), sizes(), "qwen3.block_count: should be a whole number"),
        (metadata(block_count=True), sizes(), "qwen3.block_count: should be a whole number"),
        (metadata(embedding_length=2**31), sizes(), "qwen3.embedding_length: should be"),
        (metadata("qwen3", {"attention.head_count_kv": 3}), sizes(), "must be a multiple of"),
        (
            metadata("qwen3", {"attention.key_length": None, "attention.head_count": 7}),
            sizes(),
            "attention.key_length is missing, and 7 heads do not divide 256",
        ),
        (metadata(), {}, "token_embd.weight: this tensor is required and missing"),
    ],
)
def test_metadata_that_lie(meta: Any, tensors: Sizes, said: str) -> None:
    with pytest.raises(DocumentError) as caught:
        shape_of(meta, tensors)
    assert said in caught.value.message


# ── the weights ─────────────────────────────────────────────────────────────────────────────


def test_parts_are_the_bytes_of_the_file() -> None:
    own = {"expert_count": 4, "expert_used_count": 2, "expert_feed_forward_length": 128}
    header = read(metadata("qwen3moe", own), sizes(experts=True))
    parts = ggml_parts(header.checkpoint, gguf_shape(header, "x"))
    assert parts.embedding_bytes == VOCABULARY * HIDDEN // 256 * 144
    assert parts.head_bytes == VOCABULARY * HIDDEN // 256 * 210
    assert parts.expert_bytes == LAYERS * 4 * 128 * HIDDEN // 256 * 144
    assert parts.router_bytes == LAYERS * 4 * HIDDEN * 4
    assert parts.norm_bytes == 4 * (HIDDEN + LAYERS * (HIDDEN + 64))
    assert parts.rotary_bytes == 0
    assert parts.total == header.checkpoint.total_bytes


@pytest.mark.parametrize(
    ("dtype", "bits"), [("Q4_K", 4), ("Q8_0", 8), ("F16", 16), ("BF16", 16), ("F32", 32)]
)
def test_quantization_is_the_type_of_most_bytes(dtype: str, bits: int) -> None:
    found = read({}, {"w": (dtype, (8, 256)), "n": ("F32", (4,))}).checkpoint
    how = gguf_quantization(found)
    assert (how.method, how.weight_bits) == ("gguf", bits)
    assert how.notes is not None
    assert dtype in how.notes


@given(st.sampled_from(sorted(metadata("gpt-oss", expert_count=4))), st.one_of(
    st.integers(0, 2**32 - 1), st.text(max_size=3), st.floats(width=32), st.booleans(),
    st.lists(st.integers(0, 9), min_size=1, max_size=3),
))  # fmt: skip
def test_no_value_ends_in_anything_but_our_own_errors(key: str, given_value: Any) -> None:
    with suppress(SparkwellError):
        shape_of(metadata("gpt-oss", expert_count=4) | {key: given_value}, sizes())
