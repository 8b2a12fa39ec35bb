"""Which flags the dashboard may change: an allow-list, so that a new flag is refused at first."""

import re

import pytest

from sparkwell.app.editing.flags import EDITABLE, REFUSED, editable_flags, why_not
from sparkwell.engines.vllm.flag_table import FLAGS, OWNED
from sparkwell.engines.vllm.flags import known_names
from sparkwell.engines.vllm.history import exists, history

VERSION = "0.32.0"
ALLOWED = [name for group in EDITABLE.values() for name in group]
STAY = [name for group in REFUSED.values() for name in group]
DANGEROUS = re.compile(
    r"path|file|dir$|plugin|template|cls|class|code|url|host|port|addr|uds|key|token$|tokens_only|"
    r"ssl|origin|header|middleware|processors|config|overrides|model$|tokenizer|revision|lora|log|"
    r"load_format|remote|media|server|endpoint|executor|transfer|env"
)


def test_each_is_typed_and_none_is_ours() -> None:
    assert len(ALLOWED) == len(set(ALLOWED))
    assert set(ALLOWED) <= FLAGS.keys()
    assert not set(ALLOWED) & (OWNED.keys() | set(STAY))


def test_no_name_sounds_like_code_files_or_the_network() -> None:
    assert [name for name in ALLOWED if DANGEROUS.search(name)] == []


def test_those_that_stay_are_flags_and_are_named_once() -> None:
    assert len(STAY) == len(set(STAY))
    assert set(STAY) <= known_names() | history().flags.keys()


def test_a_typed_flag_is_in_one_of_the_lists() -> None:
    assert set(FLAGS) - set(ALLOWED) - set(STAY) == set()


def test_what_a_version_lacks_is_not_offered() -> None:
    for version in ("0.10.0", "0.25.0", VERSION):
        offered = {flag.name for flag in editable_flags(version)}
        gone = {name for name in ALLOWED if exists(name, version) is False}
        assert offered == set(ALLOWED) - gone
    assert exists("kv_cache_memory_bytes", "0.10.0") is False


@pytest.mark.parametrize("name", sorted((known_names() | OWNED.keys()) - set(ALLOWED)))
def test_every_other_flag_has_a_sentence(name: str) -> None:
    said = why_not(name, VERSION)
    assert said.startswith(f"The flag {name} cannot be ")
    assert said.endswith(".")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("trust_remote_code", "code the engine runs. Set it in sparkwell.yaml."),
        ("chat_template", "names files"),
        ("download_dir", "names files"),
        ("hf_overrides", "names files"),
        ("load_format", "code the engine runs"),
        ("ssl_keyfile", "the gateway speaks plain HTTP"),
        ("api_key", "only the gateway talks to the engine"),
        ("host", "only the gateway reaches it"),
        ("enable_log_requests", "people's requests"),
        ("enable_sleep_mode", "back_end says how the model makes room"),
        ("mm_processor_cache_gb", "not among the flags that are known to be safe"),
        ("max_model_length", "Did you mean max_model_len"),
        ("swap_space", "was gone by"),
        ("<b>x</b>", "has no flag '<b>x</b>'"),
        ("x" * 5000, f"has no flag '{'x' * 60}…'."),
    ],
)
def test_the_sentence_says_why(name: str, words: str) -> None:
    assert words in why_not(name, VERSION)
