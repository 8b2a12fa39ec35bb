"""vLLM's flags: what is taken, what is refused, and in which words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import UsageError
from sparkwell.engines.vllm.flags import (
    FLAGS,
    OWNED,
    check_flag,
    check_flags,
    known_names,
    parse_flag,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max_model_len=32000", ("max_model_len", 32000)),
        ("max-model-len=32000", ("max_model_len", 32000)),
        ("--max-model-len=32000", ("max_model_len", 32000)),
        ("MAX_MODEL_LEN=5", ("max_model_len", 5)),
        (" max_model_len = 5 ", ("max_model_len", 5)),
        ("max_model_len=10000000", ("max_model_len", 10_000_000)),
        ("max_model_len=-1", ("max_model_len", -1)),
        ("max_model_len=auto", ("max_model_len", "auto")),
        ("no-enable-prefix-caching", ("enable_prefix_caching", False)),
        ("enable-prefix-caching", ("enable_prefix_caching", True)),
        ("gpu_memory_utilization=0.8", ("gpu_memory_utilization", 0.8)),
        ("gpu_memory_utilization=1", ("gpu_memory_utilization", 1)),
        ("enforce_eager", ("enforce_eager", True)),
        ("enforce-eager=true", ("enforce_eager", True)),
        ("enforce_eager=False", ("enforce_eager", False)),
        ("dtype=bfloat16", ("dtype", "bfloat16")),
        ("kv_cache_dtype=fp8", ("kv_cache_dtype", "fp8")),
        ("seed=0", ("seed", 0)),
        ("cpu_offload_gb=0", ("cpu_offload_gb", 0)),
        # Known to vLLM, but not in our table: any value, JSON objects as the text they are.
        ("aggregate_engine_logging", ("aggregate_engine_logging", True)),
        ('speculative_config={"a": 1}', ("speculative_config", '{"a": 1}')),
        ("additional_config=a=b", ("additional_config", "a=b")),
    ],
)
def test_right_flags(text: str, expected: tuple[str, FlagValue]) -> None:
    name, value = parse_flag(text)
    assert (name, value) == expected
    assert type(value) is type(expected[1])  # 1 is not true


LENGTH = "The flag max_model_len takes a whole number from 1 to 10,000,000, not "
SHARE = "The flag gpu_memory_utilization takes a number from 0.01 to 1.0, not "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_model_len", LENGTH + "True."),
        ("max_model_len=0", LENGTH + "0."),
        ("max_model_len=-2", LENGTH + "-2."),
        ("max_model_len=10000001", LENGTH + "10000001."),
        ("max_model_len=1.5", LENGTH + "1.5."),
        ("max_model_len=abc", LENGTH + "'abc'."),
        ("max_model_len=", LENGTH + "''."),
        ("max_model_len=true", LENGTH + "True."),
        ("gpu_memory_utilization=0", SHARE + "0."),
        ("gpu_memory_utilization=1.01", SHARE + "1.01."),
        ("gpu_memory_utilization=NaN", SHARE + "nan."),
        ("gpu_memory_utilization=true", SHARE + "True."),
        ("seed=-1", "The flag seed takes a whole number of at least 0, not -1."),
        ("enforce_eager=0", "The flag enforce_eager takes true or false, not 0."),
        ("enforce_eager=yes", "The flag enforce_eager takes true or false, not 'yes'."),
        ("quantization=8", "The flag quantization takes a text, not 8."),
        (
            "dtype=bf16",
            "The flag dtype takes one of auto, bfloat16, float, float16, float32, half, "
            "not 'bf16'.",
        ),
        (
            "port=8001",
            "The flag port cannot be set: the engine listens where only the gateway reaches it; "
            "the gateway's port is --port.",
        ),
        (
            "hf-token=hf_x",
            "The flag hf_token cannot be set: the token is read from HF_TOKEN, .env or "
            "`hf auth login`.",
        ),
        ("--model=x", "The flag model cannot be set: the recipe says which model is served."),
        ("", "vLLM has no flag ''. `sparkwell flags` lists them."),
        ("=5", "vLLM has no flag ''. `sparkwell flags` lists them."),
        ("zzzzqq=1", "vLLM has no flag 'zzzzqq'. `sparkwell flags` lists them."),
    ],
)
def test_wrong_flags(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_flag(text)
    assert str(caught.value).startswith(message)


def test_a_typing_error_gets_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        parse_flag("max-modle-len=5")
    assert caught.value.message == "vLLM has no flag 'max_modle_len'."
    assert (caught.value.hint or "").startswith("Did you mean max_model_len")


@pytest.mark.parametrize("name", sorted(OWNED))
def test_what_is_sparkwells_own_is_refused_with_a_reason(name: str) -> None:
    with pytest.raises(UsageError, match=f"The flag {name} cannot be set: .+"):
        check_flag(name, "x")
    assert name not in FLAGS


@pytest.mark.parametrize(
    "text",
    [
        "ssl-keyfile=/k.pem",
        "ssl-certfile=/c.pem",
        "ssl-ca-certs=/ca.pem",
        "ssl-cert-reqs=2",
        "config=/other.yaml",
        "middleware=my.Auth",
        "headless",
        "grpc",
        "tokens-only",
        "data-parallel-multi-port-external-lb",
        "data-parallel-supervisor-port=9000",
    ],
)
def test_what_would_shut_the_gateway_out_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be set: .*(gateway|checks)"):
        parse_flag(text)


def test_all_flags_are_checked_and_where_is_said() -> None:
    flags: dict[str, FlagValue] = {"max_num_seqs": 8, "enforce_eager": True}
    assert check_flags(flags) == flags
    with pytest.raises(UsageError) as caught:
        check_flags({**flags, "max_model_le": 1}, where="recipe x")
    assert caught.value.message == "recipe x: vLLM has no flag 'max_model_le'."
    assert "max_model_len" in (caught.value.hint or "")


def test_every_flag_of_the_table_is_one_of_vllms_and_has_a_purpose() -> None:
    assert len(known_names()) > 200
    for flag in FLAGS.values():
        assert flag.purpose
        assert flag.low is None or flag.high is None or flag.low < flag.high


@given(st.text())
def test_any_text_is_a_flag_or_a_usage_error(text: str) -> None:
    try:
        name, _ = parse_flag(text)
    except UsageError:
        return
    assert name in known_names()


@given(st.sampled_from(sorted(FLAGS)), st.text() | st.integers() | st.floats() | st.booleans())
def test_a_checked_value_is_within_its_range(name: str, value: FlagValue) -> None:
    flag = FLAGS[name]
    try:
        taken = check_flag(name, value)
    except UsageError:
        return
    assert taken == value
    if isinstance(taken, int | float) and not isinstance(taken, bool):
        assert flag.low is None or taken >= flag.low
        assert flag.high is None or taken <= flag.high
