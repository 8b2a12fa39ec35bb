"""The two families: their markers, chat templates and config files."""

from dataclasses import dataclass
from typing import Any

CHATML = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
LLAMA3 = (
    "{{- bos_token }}"
    "{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}"
    "{{- message['content'] | trim + '<|eot_id|>' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}"
    "{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}"
    "{%- endif %}"
)


@dataclass(frozen=True)
class Dialect:
    """What sets one family apart: names, special tokens and the chat template."""

    name: str
    architecture: str
    seed: int
    special: tuple[str, ...]
    begin: str | None  # token that opens every prompt
    end_of_text: str
    end_of_turn: str
    template: str
    extra: tuple[tuple[str, Any], ...] = ()  # config fields of this family alone


QWEN3 = Dialect(
    name="qwen3",
    architecture="Qwen3ForCausalLM",
    seed=20261121,
    special=("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    begin=None,
    end_of_text="<|endoftext|>",
    end_of_turn="<|im_end|>",
    template=CHATML,
    extra=(("max_window_layers", 2), ("sliding_window", None), ("use_sliding_window", False)),
)
LLAMA = Dialect(
    name="llama",
    architecture="LlamaForCausalLM",
    seed=20261122,
    special=(
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
    ),
    begin="<|begin_of_text|>",
    end_of_text="<|end_of_text|>",
    end_of_turn="<|eot_id|>",
    template=LLAMA3,
    extra=(("mlp_bias", False), ("pretraining_tp", 1), ("rope_scaling", None)),
)
DIALECTS = {dialect.name: dialect for dialect in (QWEN3, LLAMA)}

SHAPE: dict[str, Any] = {
    "attention_bias": False,
    "attention_dropout": 0.0,
    "head_dim": 64,
    "hidden_act": "silu",
    "hidden_size": 256,
    "initializer_range": 0.02,
    "intermediate_size": 512,
    "max_position_embeddings": 2048,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "vocab_size": 4096,
}


def config(dialect: Dialect) -> dict[str, Any]:
    """Return the contents of config.json."""
    ids = {token: number for number, token in enumerate(dialect.special)}
    return {
        "architectures": [dialect.architecture],
        "model_type": dialect.name,
        "bos_token_id": ids[dialect.begin or dialect.end_of_text],
        "eos_token_id": ids[dialect.end_of_turn],
        "pad_token_id": ids[dialect.end_of_text],
        **SHAPE,
        **dict(dialect.extra),
    }


def generation_config(dialect: Dialect) -> dict[str, Any]:
    """Return the contents of generation_config.json: the defaults that vLLM takes from here."""
    settings = config(dialect)
    return {
        "bos_token_id": settings["bos_token_id"],
        "eos_token_id": [settings["eos_token_id"], settings["pad_token_id"]],
        "pad_token_id": settings["pad_token_id"],
        "do_sample": True,
        "temperature": 0.2,
        "top_k": 20,
        "top_p": 0.8,
    }


def tokenizer_config(dialect: Dialect) -> dict[str, Any]:
    """Return the contents of tokenizer_config.json, the chat template among them."""
    return {
        "add_bos_token": dialect.begin is not None,
        "add_prefix_space": False,
        "bos_token": dialect.begin,
        "chat_template": dialect.template,
        "clean_up_tokenization_spaces": False,
        "eos_token": dialect.end_of_turn,
        "model_max_length": SHAPE["max_position_embeddings"],
        "pad_token": dialect.end_of_text,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": None,
    }
