"""The demo checkpoints are complete, small, and true to their own config files."""

import json
import struct
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "src" / "sparkwell" / "catalog" / "demo"
CORPUS = ROOT / "tools" / "demo_models" / "corpus"
MODELS = ("qwen3", "llama")
TOPIC_FILES = ("serving.yaml", "sparkwell.yaml", "hardware.yaml", "models.yaml", "manners.yaml")
LARGEST = 16_000_000


def content(model: str, name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DEMO / model / name).read_text(encoding="utf-8"))
    return loaded


def header(model: str) -> dict[str, Any]:
    with (DEMO / model / "model.safetensors").open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        tensors: dict[str, Any] = json.loads(file.read(length))
    tensors.pop("__metadata__")
    return tensors


def expected_shapes(config: dict[str, Any]) -> dict[str, list[int]]:
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    queries = config["num_attention_heads"] * config["head_dim"]
    keys = config["num_key_value_heads"] * config["head_dim"]
    layer = {
        "input_layernorm.weight": [hidden],
        "post_attention_layernorm.weight": [hidden],
        "self_attn.q_proj.weight": [queries, hidden],
        "self_attn.k_proj.weight": [keys, hidden],
        "self_attn.v_proj.weight": [keys, hidden],
        "self_attn.o_proj.weight": [hidden, queries],
        "mlp.gate_proj.weight": [inner, hidden],
        "mlp.up_proj.weight": [inner, hidden],
        "mlp.down_proj.weight": [hidden, inner],
    }
    if config["architectures"] == ["Qwen3ForCausalLM"]:
        layer |= {f"self_attn.{name}_norm.weight": [config["head_dim"]] for name in "qk"}
    layers = range(config["num_hidden_layers"])
    shapes = {f"model.layers.{n}.{name}": shape for n in layers for name, shape in layer.items()}
    return shapes | {
        "model.embed_tokens.weight": [config["vocab_size"], hidden],
        "model.norm.weight": [hidden],
    }


@cache
def topics() -> list[dict[str, Any]]:
    texts = [(CORPUS / name).read_text(encoding="utf-8") for name in TOPIC_FILES]
    return [topic for text in texts for topic in yaml.safe_load(text)]


def test_both_together_are_small() -> None:
    sizes = [path.stat().st_size for path in DEMO.rglob("*") if path.is_file()]
    assert 0 < sum(sizes) <= LARGEST


@pytest.mark.parametrize("model", MODELS)
def test_folder_holds_a_checkpoint_and_nothing_else(model: str) -> None:
    assert {path.name for path in (DEMO / model).iterdir()} == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }


@pytest.mark.parametrize("model", MODELS)
def test_weights_have_the_shapes_that_the_config_states(model: str) -> None:
    tensors = header(model)
    assert {name: entry["shape"] for name, entry in tensors.items()} == expected_shapes(
        content(model, "config.json")
    )
    assert {entry["dtype"] for entry in tensors.values()} == {"BF16"}


@pytest.mark.parametrize("model", MODELS)
def test_file_is_exactly_as_long_as_its_header_says(model: str) -> None:
    path = DEMO / model / "model.safetensors"
    (length,) = struct.unpack("<Q", path.read_bytes()[:8])
    end = max(entry["data_offsets"][1] for entry in header(model).values())
    assert path.stat().st_size == 8 + length + end


@pytest.mark.parametrize(
    ("model", "architecture"), [("qwen3", "Qwen3ForCausalLM"), ("llama", "LlamaForCausalLM")]
)
def test_config_names_the_real_architecture(model: str, architecture: str) -> None:
    config = content(model, "config.json")
    assert config["architectures"] == [architecture]
    assert config["torch_dtype"] == "bfloat16"
    assert config["tie_word_embeddings"] is True


@pytest.mark.parametrize("model", MODELS)
def test_tokenizer_fills_the_vocabulary_and_knows_every_byte(model: str) -> None:
    vocabulary = content(model, "tokenizer.json")["model"]["vocab"]
    assert len(vocabulary) == content(model, "config.json")["vocab_size"]
    assert sum(len(token) == 1 for token in vocabulary) == 256


@pytest.mark.parametrize(
    ("model", "ends"),
    [
        ("qwen3", ["<|im_end|>", "<|endoftext|>"]),
        ("llama", ["<|eot_id|>", "<|end_of_text|>"]),
    ],
)
def test_generation_stops_at_the_end_of_a_turn_and_of_a_text(model: str, ends: list[str]) -> None:
    vocabulary = content(model, "tokenizer.json")["model"]["vocab"]
    assert content(model, "generation_config.json")["eos_token_id"] == [vocabulary[e] for e in ends]
    assert content(model, "config.json")["eos_token_id"] == vocabulary[ends[0]]


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("qwen3", "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"),
        (
            "llama",
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nhi"
            "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
    ],
)
def test_chat_template_writes_the_markers_of_its_family(model: str, text: str) -> None:
    jinja2 = pytest.importorskip("jinja2")
    settings = content(model, "tokenizer_config.json")
    rendered = jinja2.Template(settings["chat_template"]).render(
        messages=[{"role": "user", "content": "hi"}],
        add_generation_prompt=True,
        bos_token=settings["bos_token"],
    )
    assert rendered == text
    assert "think" not in settings["chat_template"]


def test_corpus_has_one_entry_a_topic_and_one_topic_a_question() -> None:
    names = Counter(topic["id"] for topic in topics())
    asked = Counter(line for topic in topics() for line in topic.get("ask", "").splitlines())
    answers = Counter(topic["answer"] for topic in topics())
    for counted in (names, asked, answers):
        assert [item for item, times in counted.items() if times > 1] == []


def test_corpus_is_broad_and_answers_are_short() -> None:
    assert len(topics()) >= 100
    assert all(10 < len(topic["answer"]) < 300 for topic in topics())
    assert all(set(topic) - {"id", "answer"} for topic in topics()), "a topic that nobody asks for"


def test_off_topic_questions_are_not_known_ones() -> None:
    known = {line.lower() for topic in topics() for line in topic.get("ask", "").splitlines()}
    unknown = yaml.safe_load((CORPUS / "off_topic.yaml").read_text(encoding="utf-8"))["ask"]
    assert [line for line in unknown.splitlines() if line.lower() in known] == []
