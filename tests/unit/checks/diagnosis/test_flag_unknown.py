"""Flags that a version does not have, and values that it does not take."""

import pytest
from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.flags.flag_unknown import CHECK
from sparkwell.core.findings import Finding

VERSION = "(APIServer pid=1) INFO 11-03 09:14:04 [api_server.py:1755] vLLM API server version {}\n"
ERROR = "vllm serve: error: "
INVALID = "pydantic_core._pydantic_core.ValidationError: 1 validation error for {}\n"


def _unrecognized(arguments: str, version: str = "0.10.2") -> Finding:
    log = f"{VERSION.format(version)}{ERROR}unrecognized arguments: {arguments}"
    [finding] = asked(CHECK, log)
    return finding


def test_a_misspelt_flag_has_near_names() -> None:
    finding = _unrecognized("--max-modellen 32000")
    assert finding.title == "vLLM does not know --max-modellen"
    assert "max_model_len" in finding.remedies[0].text


def test_a_flag_of_a_newer_version_says_which() -> None:
    finding = _unrecognized("--nnodes 2")
    assert any("new in 0.11.1; this is 0.10.2" in each for each in finding.evidence)
    assert finding.remedies[0].command == "sparkwell flags nnodes"


def test_a_word_without_a_flag() -> None:
    finding = _unrecognized("/models/Qwen3-8B")
    assert "/models/Qwen3-8B" in finding.remedies[0].text


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("argument --dtype: invalid choice: 'float17' (choose from 'auto')", "dtype takes one of"),
        ("argument --max-num-seqs: invalid int value: '64k'", "max_num_seqs takes a whole number"),
        ("argument --compilation-config/-cc: 1 validation error", "compilation_config takes"),
        ("ambiguous option: --enable could match --enable-a", "See the flags"),
    ],
)
def test_argparse_on_a_value(said: str, remedy: str) -> None:
    [finding] = asked(CHECK, ERROR + said)
    assert said[:60] in finding.title
    assert finding.remedies[0].text.startswith(remedy)


def test_the_engines_configuration_on_a_value() -> None:
    below = (
        "gpu_memory_utilization\n  Input should be less than or equal to 1 [type=less_than_equal]"
    )
    [finding] = asked(CHECK, INVALID.format("CacheConfig") + below)
    assert "gpu_memory_utilization: Input should be less than or equal to 1" in finding.title
    assert finding.remedies[0].text.startswith("gpu_memory_utilization takes a number from")


def test_a_configuration_that_contradicts_itself() -> None:
    below = (
        "  Value error, max_num_batched_tokens (512) is smaller than max_model_len (32000). This"
    )
    [finding] = asked(CHECK, INVALID.format("SchedulerConfig") + below)
    assert "max_num_batched_tokens (512)" in finding.title


@pytest.mark.parametrize(
    "said",
    [
        "Value error, User-specified max_model_len (99999) is greater than the derived",
        "Value error, The repository a/b contains custom code which must be executed",
        "Value error, Model architectures ['X'] are not supported for now.",
    ],
)
def test_what_other_checks_know_is_left_to_them(said: str) -> None:
    assert asked(CHECK, f"{INVALID.format('ModelConfig')}  {said}") == []


@pytest.mark.parametrize(
    "log",
    [
        f"{ERROR}unrecognized arguments: --swap-space 16",  # removed: another check's
        INVALID.format("ChatCompletionRequest") + "  Value error, a client's request",
        'INFO:     1.2.3.4:5 - "POST /v1/completions HTTP/1.1" 400 Bad Request',
    ],
)
def test_removed_flags_and_clients_are_not_meant(log: str) -> None:
    assert asked(CHECK, log) == []
