"""The words for vLLM's flags: complete, true to the history, and one flag's facts."""

import re

import pytest

from sparkwell.core.errors import UsageError
from sparkwell.engines.vllm.explain import count_of, explained, facts_of
from sparkwell.engines.vllm.flags import FLAGS
from sparkwell.engines.vllm.history import exists, history, removed_in
from sparkwell.engines.vllm.texts import default_in_words, instead, purpose, texts

NEWEST = str(history().versions[-1])


def test_every_checked_flag_has_words_and_every_flag_with_words_exists() -> None:
    assert FLAGS.keys() <= texts().flags.keys() <= history().flags.keys()
    assert len(texts().flags) >= 35


def test_the_flags_of_the_guides_are_explained() -> None:
    guides = (
        "max_model_len gpu_memory_utilization max_num_seqs max_num_batched_tokens "
        "enable_prefix_caching trust_remote_code quantization download_dir "
        "enable_chunked_prefill dtype swap_space block_size"
    )
    for name in guides.split():
        assert texts().flags[name].explanation, name


@pytest.mark.parametrize("name", sorted(texts().flags))
def test_words_are_sentences_where_they_should_be(name: str) -> None:
    text = texts().flags[name]
    assert text.purpose
    assert not text.purpose.endswith(".")
    assert text.explanation.endswith(".")
    assert text.advice == "" or text.advice.endswith(".")


def test_every_flag_that_is_gone_has_something_instead_and_no_other_has() -> None:
    gone = {name for name in history().flags if removed_in(name)}
    assert texts().removed.keys() == gone
    assert instead("max_model_len") is None


def test_what_is_named_instead_exists_in_the_newest_version() -> None:
    lasting = {name for name in history().flags if exists(name, NEWEST)}
    passing = {"cuda_graph_sizes", "log_balancedness", "step_interval", "window_size", "rope_theta"}
    for name, said in texts().removed.items():
        named = set(re.findall(r"\b[a-z]+(?:_[a-z0-9]+)+\b", said))
        unknown = named - lasting - passing - {"disable_any_whitespace", "rope_parameters"}
        unknown -= {"disable_additional_properties", "num_redundant_experts", "rope_scaling"}
        assert not unknown, (name, unknown)


@pytest.mark.parametrize(
    ("flag", "version", "said"),
    [
        ("gpu_memory_utilization", "0.10.1.1", "0.9"),
        ("gpu_memory_utilization", "0.25.0", "0.92"),
        (
            "max_num_seqs",
            "0.25.0",
            "1,024 on a GPU of 70 GiB or more, 256 on a smaller one and on a DGX Spark",
        ),
        (
            "max_num_batched_tokens",
            "0.33.0",
            "16,384 from 160 GiB on, 8,192 on a GPU of 70 GiB or more, "
            "2,048 on a smaller one and on a DGX Spark",
        ),
        ("enable_prefix_caching", "0.10.1.1", "on, for models of text"),
        ("block_size", "0.25.0", "16; the attention backend may take more"),
        ("enforce_eager", "0.25.0", "off"),
        ("kv_cache_memory_bytes", "0.25.0", "not set"),
        ("kv_cache_memory_bytes", "0.10.1.1", ""),
        ("hf_overrides", "0.25.0", "empty"),
        ("compilation_config", "0.25.0", ""),
        ("swap_space", "0.17.1", "4"),
        ("max_num_seqs", "0.10.0", "not set"),  # older than any with rules
    ],
)
def test_defaults_in_words(flag: str, version: str, said: str) -> None:
    assert default_in_words(flag, version) == said


def test_one_flag_with_everything() -> None:
    facts = facts_of("--gpu-memory-utilization", "0.25.0")
    assert facts.name == "gpu_memory_utilization"
    assert facts.exists
    assert facts.text.purpose == purpose("gpu_memory_utilization")
    assert facts.takes == "a number from 0.01 to 1.0"
    assert (facts.default, facts.default_value) == ("0.92", 0.92)
    assert facts.changes == (("0.10.0", "0.9"), ("0.20.0", "0.92"))
    assert facts.aliases == ("device_memory_utilization",)
    assert not facts.is_gone


def test_a_flag_that_is_gone_and_one_that_is_sparkwells_own() -> None:
    gone = facts_of("swap_space", "0.25.0")
    assert (gone.exists, gone.is_gone, gone.last, gone.removed_in) == (
        False,
        True,
        "0.17.1",
        "0.18.1",
    )
    assert gone.instead
    assert not facts_of("swap_space", "0.17.1").is_gone
    assert "gateway" in (facts_of("port", "0.25.0").owned or "")


def test_other_ways_to_write_a_name() -> None:
    assert facts_of("--no-enable-prefix-caching", "0.25.0").name == "enable_prefix_caching"
    assert facts_of("device-memory-utilization", "0.25.0").name == "gpu_memory_utilization"
    with pytest.raises(UsageError, match="Did you mean max_model_len"):
        facts_of("max_modle_len", "0.25.0")


def test_the_list_has_what_the_version_has() -> None:
    newest = {facts.name for facts in explained(NEWEST)}
    oldest = {facts.name for facts in explained("0.10.1.1")}
    assert "swap_space" in oldest - newest
    assert "attention_backend" in newest - oldest
    assert count_of("0.32.0") == 316
    assert count_of("0.5.0") == 0
