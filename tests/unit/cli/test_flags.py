"""`sparkwell flags`: the list, one flag, and flags that are gone, new or wrong."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from sparkwell.cli.flags import flags
from sparkwell.core.errors import UsageError


def run(*words: str) -> str:
    done = CliRunner().invoke(flags, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def answer(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def test_the_list_has_default_and_purpose_of_the_version() -> None:
    lines = run("--engine-version", "0.10.1.1").splitlines()
    assert lines[0].split("  ")[0] == "FLAG"
    assert "DEFAULT IN 0.10.1.1" in lines[0]
    share = next(line for line in lines if line.startswith("gpu_memory_utilization"))
    assert share.split()[1] == "0.9"
    assert "takes 171 flags" in lines[-1]
    assert any(line.startswith("swap_space") for line in lines)


def test_without_a_version_it_is_the_engine_for_gpus() -> None:
    assert "DEFAULT IN 0.25.0" in run()
    assert answer()["engine"] == {"name": "vllm", "version": "0.25.0"}


def test_one_flag_in_full() -> None:
    out = run("max-num-batched-tokens", "--engine-version", "0.33.0")
    assert out.startswith(
        "max_num_batched_tokens (vLLM 0.33.0): tokens in one step of the engine\n"
    )
    assert "Takes      a whole number from 1 to 10,000,000" in out
    assert "Default    16,384 from 160 GiB on" in out
    assert "Costs      memory that grows with it" in out
    assert max(map(len, out.splitlines())) <= 100


def test_a_flag_without_words_still_has_its_facts() -> None:
    out = run("enable-cumem-allocator", "--engine-version", "0.25.0")
    assert "Default    off" in out
    assert "Versions   seen in 0.22.0 to 0.33.0" in out


def test_a_flag_that_is_gone_says_since_when_and_what_instead() -> None:
    out = run("swap-space")
    assert "vLLM 0.25.0 does not take it. Leave it out" in " ".join(out.split())
    assert "seen in 0.10.0 to 0.17.1, gone by 0.18.1" in out
    flag = answer("swap_space")["flag"]
    assert (flag["exists"], flag["removed_in"], flag["default"]) == (False, "0.18.1", "")
    assert flag["instead"].startswith("Leave it out")


def test_a_flag_that_is_not_there_yet() -> None:
    out = run("watchdog_config", "--engine-version", "0.25.0")
    assert "vLLM 0.25.0 does not take it.\n" in out
    assert "seen in 0.33.0\n" in out


def test_a_version_that_was_not_read() -> None:
    assert "not known whether vLLM 0.18.0 takes it" in run(
        "swap_space", "--engine-version", "0.18.0"
    )
    assert "vLLM 0.5.0 was not read" in run("--engine-version", "0.5.0")


def test_one_that_sparkwell_sets_itself() -> None:
    assert "Sparkwell  sets it itself: the engine listens" in run("port")


def test_json_has_defaults_by_version() -> None:
    flag = answer("gpu_memory_utilization")["flag"]
    assert flag["default_value"] == 0.92
    assert flag["changes"] == [
        {"since": "0.10.0", "default": "0.9"},
        {"since": "0.20.0", "default": "0.92"},
    ]
    assert flag["purpose"]
    listed = answer("--engine-version", "0.19.0")["flags"]
    assert {entry["name"]: entry["default"] for entry in listed}["gpu_memory_utilization"] == "0.9"


def test_wrong_names_and_versions() -> None:
    with pytest.raises(UsageError, match="Did you mean max_model_len"):
        run("max_modle_len")
    with pytest.raises(UsageError, match="is not a version of vLLM"):
        run("max_model_len", "--engine-version", "latest")
