"""Names of models in Ollama: its grammar, and the names that Sparkwell makes from them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.catalog.families import UnknownArchitectureError
from sparkwell.catalog.ollama import is_ollama, parse_ollama, shape_of_metadata
from sparkwell.core.errors import DocumentError, UsageError
from sparkwell.engines.ollama import instance_word, served_name, split_size

GIVEN = [
    ("llama3.2", "llama3.2", "registry.ollama.ai/library/llama3.2:latest"),
    ("ollama/llama3.2:latest", "llama3.2", "registry.ollama.ai/library/llama3.2:latest"),
    ("qwen3:8b", "qwen3:8b", "registry.ollama.ai/library/qwen3:8b"),
    ("library/qwen3:8B", "qwen3:8B", "registry.ollama.ai/library/qwen3:8b"),
    ("registry.ollama.ai/library/qwen3:8b", "qwen3:8b", "registry.ollama.ai/library/qwen3:8b"),
    ("mike/mario", "mike/mario", "registry.ollama.ai/mike/mario:latest"),
    (
        "Ollama/hf.co/unsloth/Qwen3-8B-GGUF:Q4_K_M",
        "hf.co/unsloth/Qwen3-8B-GGUF:Q4_K_M",
        "hf.co/unsloth/qwen3-8b-gguf:q4_k_m",
    ),
    ("localhost:5000/a/b", "localhost:5000/a/b", "localhost:5000/a/b:latest"),
]


@pytest.mark.parametrize(("text", "short", "key"), GIVEN)
def test_names_as_ollama_writes_them(text: str, short: str, key: str) -> None:
    name = parse_ollama(text)
    assert (name.short, name.key, str(name)) == (short, key, f"ollama/{short}")
    assert parse_ollama(name.short).key == parse_ollama(str(name)).key == key


WRONG = ["", "ollama/", "a:b:c", "..", "a/../b", "-a", "a b", "a\n", "a:", "/a", "a/", "x/y/z/w"]
WRONG += ["a" * 81, f"a:{'b' * 81}", "hf.co/model", "h/a.b/c", "$(id)", "é"]


@pytest.mark.parametrize("text", WRONG, ids=repr)
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(UsageError, match="no name of a model") as caught:
        parse_ollama(text)
    assert "ollama/" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["gpt-oss:120b-cloud", "ollama/kimi-k2:cloud", "a/b:Cloud"])
def test_models_of_the_cloud_are_not_run_here(text: str) -> None:
    with pytest.raises(UsageError, match="not on this machine"):
        parse_ollama(text)


def test_what_means_ollama() -> None:
    assert is_ollama("ollama/x")
    assert is_ollama("OLLAMA/x")
    assert not is_ollama("qwen3-8b-fp8")
    assert not is_ollama("org/ollama")


PARTS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}", fullmatch=True).filter(
    lambda text: ".." not in text
)
NAMESPACES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}", fullmatch=True)
NAMES = st.one_of(
    PARTS,
    st.builds("{}:{}".format, PARTS, PARTS),
    st.builds("{}/{}:{}".format, NAMESPACES, PARTS, PARTS),
    st.builds("hf.co/{}/{}:{}".format, NAMESPACES, PARTS, PARTS),
).filter(lambda text: not text.lower().endswith("cloud"))


@given(NAMES, NAMES, st.sampled_from([2048, 32_768, 262_144]))
def test_the_served_name_is_one_and_no_others(first: str, second: str, num_ctx: int) -> None:
    one, other = parse_ollama(first), parse_ollama(second)
    served = parse_ollama(served_name(one, num_ctx))
    assert served.namespace == "sparkwell"
    assert served.tag.endswith(f"-ctx{num_ctx}")
    same = served_name(one, num_ctx).lower() == served_name(other, num_ctx).lower()
    assert same == (one.key == other.key)
    assert served_name(one, num_ctx) != served_name(one, num_ctx + 1)


@pytest.mark.parametrize(
    ("name", "served"),
    [
        ("qwen3:8b", "sparkwell/qwen3:8b-ctx32768"),
        ("llama3.2", "sparkwell/llama3.2:latest-ctx32768"),
        ("mike/mario:7b", "sparkwell/mike-mario-"),
        ("hf.co/unsloth/Qwen3-8B-GGUF:Q4_K_M", "sparkwell/hf.co-unsloth-Qwen3-8B-GGUF-"),
    ],
)
def test_a_served_name_can_be_read(name: str, served: str) -> None:
    assert served_name(parse_ollama(name), 32_768).startswith(served)


@given(NAMES)
def test_an_instance_may_be_called_so(text: str) -> None:
    assert re.fullmatch(r"ollama[a-z0-9-]{0,58}", instance_word(parse_ollama(text)))


def test_a_size_can_be_said() -> None:
    assert split_size("ollama/qwen3:8b")[1] is None
    name, held = split_size("ollama/qwen3:8b=20GiB")
    assert (name.short, held) == ("qwen3:8b", 20 * 2**30)
    for wrong in ("ollama/x=", "ollama/x=9", "ollama/x=much"):
        with pytest.raises(UsageError, match="is no size"):
            split_size(wrong)


SHOWN = {
    "general.architecture": "qwen3",
    "qwen3.block_count": 36,
    "qwen3.context_length": 40_960,
    "qwen3.embedding_length": 4096,
    "qwen3.feed_forward_length": 12_288,
    "qwen3.attention.head_count": 32,
    "qwen3.attention.head_count_kv": 8,
    "qwen3.attention.key_length": 128,
    "qwen3.attention.value_length": 128,
    "tokenizer.ggml.tokens": None,
}


def test_the_shape_in_what_the_server_shows() -> None:
    shape = shape_of_metadata(SHOWN, "qwen3:8b")
    assert shape.num_hidden_layers == 36
    assert shape.key_value_size == 1024
    assert shape.max_position_embeddings == 40_960


def test_a_shape_that_cannot_be_told() -> None:
    with pytest.raises(UnknownArchitectureError):
        shape_of_metadata({**SHOWN, "general.architecture": "gemma9"}, "x")
    with pytest.raises(DocumentError, match="block_count"):
        shape_of_metadata({k: v for k, v in SHOWN.items() if "block" not in k}, "x")
    with pytest.raises(DocumentError):
        shape_of_metadata({}, "x")
