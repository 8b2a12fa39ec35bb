"""Flags that are gone."""

import pytest
from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.flags.flag_removed import CHECK

VERSION = "(APIServer pid=1) INFO 11-03 09:14:04 [api_server.py:1755] vLLM API server version {}\n"
ERROR = "vllm serve: error: unrecognized arguments: "


def test_each_flag_has_its_replacement_and_since_when() -> None:
    log = VERSION.format("0.19.0") + ERROR + "--swap-space 16 --disable-log-requests"
    [finding] = asked(CHECK, log)
    assert finding.title == "vLLM 0.19.0 no longer takes --swap-space, --disable-log-requests"
    assert "swap_space: taken up to 0.17.1, gone in 0.18.1" in finding.evidence
    assert [each.command for each in finding.remedies] == [
        "sparkwell flags swap_space",
        "sparkwell flags disable_log_requests",
    ]


@pytest.mark.parametrize("program", ["vllm", "api_server.py", "vllm serve"])
def test_without_a_version_the_newest_one_is_asked(program: str) -> None:
    [finding] = asked(CHECK, f"{program}: error: unrecognized arguments: --swap-space=4")
    assert finding.title == "vLLM no longer takes --swap-space"


@pytest.mark.parametrize(
    ("version", "arguments"),
    [
        ("0.19.0", "--swapspace 16"),  # never existed
        ("0.33.0", "--max-model-len 8"),  # every version has it
        ("0.10.2", "--enable-sleep-mod"),
        ("0.10.2", "16"),
        ("0.13.0", "--swap-space 16"),  # a build of somebody's own: that version still has it
        ("0.13.0", "--enable-bf16x3-router-gemm"),  # came later, and is gone again
    ],
)
def test_what_never_was_or_still_is_was_not_removed(version: str, arguments: str) -> None:
    assert asked(CHECK, VERSION.format(version) + ERROR + arguments) == []


def test_a_version_of_nvidias_is_read() -> None:
    log = VERSION.format("0.31.0+abc.nv26.10") + ERROR + "--calculate-kv-scales"
    assert asked(CHECK, log)[0].title == "vLLM 0.31.0 no longer takes --calculate-kv-scales"


def test_a_start_that_took_its_arguments_is_well() -> None:
    assert asked(CHECK, VERSION.format("0.17.1") + "non-default args: {'swap_space': 4}") == []
