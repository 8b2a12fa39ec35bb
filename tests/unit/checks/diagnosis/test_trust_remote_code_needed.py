"""Checkpoints with code of their own."""

import pytest
from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.flags.trust_remote_code_needed import CHECK

ARGS = "(APIServer pid=1) INFO 11-03 09:14:05 [utils.py:326] non-default args: {{'model': '{}'}}\n"
CUSTOM = "  Value error, The repository a/b contains custom code which must be executed to"


@pytest.mark.parametrize(
    "line",
    [
        CUSTOM,
        "consider setting `trust_remote_code=True` in LLM or using the `--trust-remote-code` flag",
        "ValueError: Loading a/b requires you to execute the configuration file in that repo on",
    ],
)
def test_the_way_out_says_what_it_risks(line: str) -> None:
    [finding] = asked(CHECK, ARGS.format("a/b") + line)
    assert finding.remedies[-1].command == "sparkwell up MODEL --set trust_remote_code=true"
    assert "with the rights of the engine" in (finding.cause or "")


@pytest.mark.parametrize("model", ["Qwen/Qwen3-32B", "meta-llama/Llama-3.3-70B-Instruct"])
def test_models_that_are_built_in_do_not_need_it(model: str) -> None:
    [finding] = asked(CHECK, ARGS.format(model) + CUSTOM)
    assert "Do not set it" in finding.remedies[0].text
    assert all("trust_remote_code" not in (each.command or "") for each in finding.remedies)


@pytest.mark.parametrize(
    "line",
    [
        "Initializing a V1 LLM engine (v0.10.2) with config: trust_remote_code=True, dtype=x",
        "The argument `trust_remote_code` is to be used with Auto classes. It has no effect here.",
    ],
)
def test_a_start_that_has_it_already_is_well(line: str) -> None:
    assert asked(CHECK, line) == []
