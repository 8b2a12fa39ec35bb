"""What is typed into a form is read strictly, by the kind of its field."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.app.editing.fields import (
    BACK_ENDS,
    flag_fields,
    limit_fields,
    ollama_fields,
    text_of,
    typed,
    typed_flag,
)
from sparkwell.app.settings.config import ModelSettings
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import UsageError
from sparkwell.web.services import Field

VERSION = "0.32.0"
FIELDS = {**flag_fields(VERSION), **limit_fields("1800", "auto"), **ollama_fields()}
NOT_NUMBERS = [
    "+5", "0x10", "1e3", "1_000", "\u0665", "\uff15", "\u00b2", "nan", "inf", "-inf",
    ".5", "5.", "007", "5 5",
    "null", "~", "", "true", "1,000", "0b1", "5\n", "5\x00", "<b>5</b>", "9" * 5000, "--5", "- 5",
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("max_model_len", "4096", 4096),
        ("max_model_len", "auto", "auto"),
        ("max_model_len", "-1", -1),
        ("gpu_memory_utilization", "0.90", 0.9),
        ("gpu_memory_utilization", "1", 1.0),
        ("enforce_eager", "true", True),
        ("enforce_eager", "false", False),
        ("kv_cache_dtype", "fp8", "fp8"),
        ("quantization", "compressed-tensors", "compressed-tensors"),
        ("tool_call_parser", "llama3_json", "llama3_json"),
        ("idle_s", "0", 0.0),
        ("idle_s", "12.5", 12.5),
        ("priority", "-100", -100),
        ("back_end", "sleep-2", "sleep-2"),
        ("num_ctx", "8192", 8192),
    ],
)
def test_what_is_taken(name: str, text: str, value: FlagValue) -> None:
    found = typed(FIELDS[name], text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("name", ["max_num_seqs", "seed", "priority", "num_ctx"])
@pytest.mark.parametrize("text", [*NOT_NUMBERS, "1.0"])
def test_what_is_no_whole_number(name: str, text: str) -> None:
    with pytest.raises(UsageError):
        typed(FIELDS[name], text)


@pytest.mark.parametrize("name", ["gpu_memory_utilization", "cpu_offload_gb", "idle_s"])
@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_what_is_no_number(name: str, text: str) -> None:
    with pytest.raises(UsageError):
        typed(FIELDS[name], text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("max_num_seqs", "0"),
        ("max_num_seqs", "65537"),
        ("max_num_seqs", "-1"),
        ("max_model_len", "-2"),
        ("gpu_memory_utilization", "1.01"),
        ("gpu_memory_utilization", "0"),
        ("seed", "9999999999999999999"),
        ("idle_s", "-0.5"),
        ("idle_s", "999999999999"),
        ("priority", "101"),
        ("enforce_eager", "True"),
        ("enforce_eager", "yes"),
        ("enforce_eager", "1"),
        ("enforce_eager", "null"),
        ("kv_cache_dtype", "FP8"),
        ("kv_cache_dtype", "fp9"),
        ("quantization", "abc"),
        ("quantization", "gguf"),
        ("dtype", "auto "),
        ("back_end", "sleep-3"),
    ],
)
def test_what_is_out_of_range(name: str, text: str) -> None:
    with pytest.raises(UsageError):
        typed(FIELDS[name], text)


@pytest.mark.parametrize("name", ["tool_call_parser", "reasoning_parser", "quantization"])
@pytest.mark.parametrize(
    "text",
    ["--trust-remote-code", "-x", "a b", "a=b", "/etc/passwd", "../x", "a:b", "{a: 1}", "é", "[a]",
     "<script>", "a\nb", "$(x)", "a" * 65, "", "*x", "&x", "!x", "'"],
)  # fmt: skip
def test_a_name_is_a_name_and_never_an_option(name: str, text: str) -> None:
    with pytest.raises(UsageError):
        typed(FIELDS[name], text)


def test_the_sentence_says_what_is_allowed_and_what_is_next() -> None:
    with pytest.raises(UsageError) as caught:
        typed(FIELDS["max_num_seqs"], "many" * 50)
    assert caught.value.message == (
        f"max_num_seqs takes a whole number from 1 to 65,536, not '{('many' * 50)[:40]}…'. "
        "Correct it, or leave it empty: then it is chosen for you."
    )


def test_the_engine_has_the_last_word() -> None:
    old = flag_fields("0.10.2")
    assert typed_flag(old["kv_cache_dtype"], "fp8", "0.10.2") == "fp8"
    loose = Field("kv_cache_dtype", "text", "")
    with pytest.raises(UsageError, match=r"in vLLM 0\.10\.2"):
        typed_flag(loose, "nvfp4", "0.10.2")


def test_methods_of_quantization_by_version() -> None:
    """0.32.0 takes any word and ends at one that it does not know; 0.13 was not read so far."""
    assert "gguf" in flag_fields("0.12.0")["quantization"].choices
    assert "humming" not in flag_fields("0.12.0")["quantization"].choices
    assert {"gguf", "humming"} <= set(flag_fields("0.20.0")["quantization"].choices)
    with pytest.raises(UsageError, match=r"quantization takes one of .*, not 'abc'\. Correct it"):
        typed_flag(FIELDS["quantization"], "abc", VERSION)


def test_fields_know_their_version() -> None:
    assert "kv_cache_memory_bytes" not in flag_fields("0.10.0")
    assert FIELDS["max_model_len"].words == ("auto", "-1")
    assert flag_fields("0.13.0")["max_model_len"].words == ()
    assert FIELDS["kv_cache_dtype"].kind == "choice"
    assert FIELDS["tool_call_parser"].kind == "text"
    assert all(field.purpose and field.expected for field in FIELDS.values())


def test_limits_are_those_of_the_settings() -> None:
    limits = limit_fields("1800", "cold")
    assert limits.keys() <= ModelSettings.model_fields.keys()
    assert limits["back_end"].default == "cold"
    assert "back_end" not in limit_fields("1800", None)
    for name in ("idle_s", "priority"):
        for end in (limits[name].low, limits[name].high):
            ModelSettings.model_validate({name: end})
    for word in BACK_ENDS:
        ModelSettings.model_validate({"back_end": word})


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "true"), (False, "false"), (7, "7"), (0.9, "0.9"), (1800.0, "1800"),
     (0.0, "0"), (1e-05, "0.00001"), (1e11, "100000000000"), ("auto", "auto")],
)  # fmt: skip
def test_values_as_they_are_typed(value: FlagValue | None, text: str) -> None:
    assert text_of(value) == text


@given(st.floats(0.01, 1.0))
def test_a_share_comes_back(value: float) -> None:
    text = text_of(value)
    if len(text) <= 14:
        assert typed(FIELDS["gpu_memory_utilization"], text) == value


@given(st.integers(1, 65_536))
def test_a_whole_number_comes_back(value: int) -> None:
    assert typed(FIELDS["max_num_seqs"], text_of(value)) == value


@given(st.text(max_size=30))
def test_whatever_is_typed_is_a_value_or_a_sentence(text: str) -> None:
    for field in FIELDS.values():
        with suppress(UsageError):
            value = typed(field, text)
            assert not isinstance(value, str) or value[0].isalnum()
