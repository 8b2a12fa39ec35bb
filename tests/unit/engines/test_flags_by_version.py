"""Flags checked for one version of vLLM: what is gone, what is not there yet, what is unknown."""

import pytest

from sparkwell.core.errors import UsageError
from sparkwell.engines.vllm.flags import check_flag, check_flags, doubtful, parse_flag


def refusal(text: str, version: str | None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse_flag(text, version)
    return caught.value


def test_a_flag_that_is_gone_is_refused_with_its_replacement() -> None:
    error = refusal("swap-space=0", "0.33.0")
    assert error.message == "vLLM 0.33.0 has no flag 'swap_space': it was gone by 0.18.1."
    assert (error.hint or "").startswith("Leave it out")
    assert "structured_outputs_config" in (
        refusal("guided-decoding-backend=x", "0.12.0").hint or ""
    )
    assert "hf_overrides" in (refusal("rope-scaling={}", "0.25.0").hint or "")


def test_the_same_flag_is_taken_where_it_exists() -> None:
    assert parse_flag("swap-space=0", "0.10.1.1") == ("swap_space", 0)
    assert parse_flag("rope-scaling={}", "0.10.1.1") == ("rope_scaling", "{}")


def test_without_a_version_the_recorded_one_decides() -> None:
    assert "gone by 0.18.1" in refusal("swap-space=0", None).message
    assert "came with 0.33.0" in refusal("watchdog-config={}", None).message


def test_a_flag_that_is_not_there_yet_says_when_it_came() -> None:
    error = refusal("kv-cache-memory-bytes=5", "0.10.1.1")
    assert error.message == (
        "vLLM 0.10.1.1 has no flag 'kv_cache_memory_bytes': it came with 0.10.2, or shortly before."
    )
    assert "newer" in (error.hint or "")


def test_a_flag_of_a_newer_version_than_the_recorded_one() -> None:
    assert parse_flag("watchdog-config={}", "0.33.0") == ("watchdog_config", "{}")


def test_a_version_that_was_not_read_never_refuses_a_flag_that_it_may_have() -> None:
    assert parse_flag("swap-space=0", "0.18.0") == ("swap_space", 0)
    assert parse_flag("brand-new=1", "0.99") == ("brand_new", 1)
    said = doubtful(["swap_space", "max_model_len"], "0.18.0")
    assert len(said) == 1
    assert "0.18.0 has the flag swap_space is not known" in said[0]
    assert doubtful(["swap_space"], "0.17.1") == ()


def test_words_are_checked_by_version() -> None:
    assert check_flag("kv_cache_dtype", "nvfp4", "0.25.0") == "nvfp4"
    with pytest.raises(UsageError, match=r"takes one of auto, .* in vLLM 0\.19\.0, not 'nvfp4'"):
        check_flag("kv_cache_dtype", "nvfp4", "0.19.0")
    assert check_flag("moe_backend", "deep-gemm", "0.25.0") == "deep-gemm"
    assert check_flag("kv_cache_dtype", "anything", "0.33.0") == "anything"


def test_types_ranges_and_owned_flags_are_checked_as_ever() -> None:
    assert "takes a number from" in refusal("gpu_memory_utilization=1.5", "0.25.0").message
    assert "cannot be set" in refusal("port=1", "0.25.0").message
    assert "Did you mean max_model_len" in (refusal("max_modle_len=1", "0.25.0").hint or "")
    assert parse_flag("no-enable-prefix-caching", "0.25.0") == ("enable_prefix_caching", False)


def test_another_name_of_a_flag_is_told() -> None:
    error = refusal("device-memory-utilization=0.5", "0.30.0")
    assert error.hint == "It is another name of gpu_memory_utilization."


def test_all_flags_at_once_say_where() -> None:
    assert check_flags({"swap_space": 0}, version="0.11.0") == {"swap_space": 0}
    with pytest.raises(UsageError, match=r"^recipe x: vLLM 0\.25\.0 has no flag 'swap_space'"):
        check_flags({"swap_space": 0}, where="recipe x", version="0.25.0")


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(UsageError, match="is not a version of vLLM"):
        check_flags({"max_model_len": 5}, version="latest")
