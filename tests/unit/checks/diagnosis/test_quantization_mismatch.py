"""The format of the weights."""

from dataclasses import replace

import pytest
from tests.unit.checks.diagnosis.ask import asked, of_log

from sparkwell.checks.diagnosis.platform.quantization_mismatch import CHECK
from sparkwell.checks.run_parts import Run
from sparkwell.core.findings import Finding, Severity

CONFIG = (
    "(EngineCore pid=7) INFO 07-21 09:14:20 [core.py:114] Initializing a V1 LLM engine (v0.24.0) "
    "with config: model='{}', dtype=torch.bfloat16, quantization={}, seed=0"
)


def _planned(took: str, planned: str | None, **flags: str) -> list[Finding]:
    snapshot = of_log(CONFIG.format("/models/x", took))
    [log] = snapshot.logs or ()
    run = Run("r1", "m", "ready", planned_quantization=planned, flags=flags)
    return list(CHECK.look(replace(snapshot, logs=(replace(log, instance="r1"),), runs=(run,))))


@pytest.mark.parametrize(
    ("took", "planned"),
    [("fp8", "fp8"), ("modelopt", "fp8"), ("fp8", "modelopt"), ("compressed-tensors", "fp8"),
     ("None", "none"), ("awq_marlin", "awq"), ("auto_awq", "awq"),
     ("auto_gptq", "gptq"), ("fp8_per_tensor", "fp8"), ("gpt_oss_mxfp4", "mxfp4"),
     ("modelopt_fp4", "nvfp4"), ("None", None)],
)  # fmt: skip
def test_names_of_one_format_are_the_same(took: str, planned: str | None) -> None:
    assert _planned(took, planned) == []


@pytest.mark.parametrize(
    ("took", "planned"), [("None", "fp8"), ("fp8", "none"), ("None", "compressed-tensors")]
)
def test_another_format_than_planned(took: str, planned: str) -> None:
    [finding] = _planned(took, planned)
    assert finding.severity is Severity.WARNING
    assert f"quantization={took}" in finding.evidence[0]


def test_what_a_flag_asks_for_was_planned() -> None:
    assert _planned("fp8", "none", quantization="fp8") == []


@pytest.mark.parametrize(
    ("name", "took", "found"),
    [
        ("Qwen/Qwen3-8B-FP8", "None", 1),
        ("Qwen/Qwen3-8B-FP8", "fp8", 0),
        ("nvidia/Llama-3.3-70B-Instruct-FP8", "modelopt", 0),
        ("Qwen/Qwen3-8B", "None", 0),
        ("a/b-awq", "moe_wna16", 0),
        ("a/b-awq", "fp8", 0),
        ("/opt/hf/models--Qwen--Qwen3-8B-FP8/snapshots/0af3", "None", 1),
    ],
)
def test_without_a_plan_the_checkpoints_name_tells(name: str, took: str, found: int) -> None:
    assert len(asked(CHECK, CONFIG.format(name, took))) == found


def test_a_method_that_is_refused_is_an_error() -> None:
    line = (
        "  Value error, Quantization method specified in the model config (fp8) does not match the "
        "quantization method specified in the `quantization` argument (awq). [type=value_error]"
    )
    [finding] = asked(CHECK, line)
    assert finding.severity is Severity.ERROR
    assert finding.title == "--quantization awq was given for a checkpoint in fp8"
