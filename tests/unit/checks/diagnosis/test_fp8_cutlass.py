"""The CUTLASS kernel for FP8."""

import pytest
from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.platform.fp8_cutlass import CHECK
from sparkwell.core.findings import Severity

ARGS = (
    "(APIServer pid=1) INFO 11-03 09:14:05 [utils.py:326] non-default args: {{'model': '{}'{}}}\n"
)
GIVEN = ", 'quantization': 'fp8'"
FAILED = "(EngineCore_DP0 pid=7) ERROR 11-03 09:22:48 [core.py:700] RuntimeError: Error Internal"


def test_fp8_made_while_loading_leads_to_the_checkpoint_in_fp8() -> None:
    [finding] = asked(CHECK, ARGS.format("Qwen/Qwen3-32B", GIVEN) + FAILED)
    assert (finding.id, finding.severity) == ("fp8-cutlass", Severity.ERROR)
    assert finding.remedies[0].command == "sparkwell up qwen3-32b-fp8"
    assert "--quantization fp8 was given for Qwen/Qwen3-32B" in finding.evidence


@pytest.mark.parametrize("given", ["", GIVEN])
def test_a_checkpoint_in_fp8_needs_another_build(given: str) -> None:
    [finding] = asked(CHECK, ARGS.format("Qwen/Qwen3-32B-FP8", given) + FAILED)
    assert finding.remedies[0].command == "sparkwell models"
    assert any("VLLM_DISABLED_KERNELS" in each.text for each in finding.remedies)


def test_the_kernels_own_frame_is_enough() -> None:
    line = "Exception raised from cutlass_gemm_caller at /w/c3x/cutlass_gemm_caller.cuh:50 (most"
    assert asked(CHECK, line)


@pytest.mark.parametrize(
    "line",
    [
        "INFO 11-03 09:14:05 [x.py:1] Selected CutlassFp8BlockScaledMMKernel for Fp8LinearMethod",
        "    torch.ops._C.cutlass_scaled_mm(out, a, b, scale_a, scale_b, bias)",
        'INFO:     1.2.3.4:5 - "POST /v1/completions HTTP/1.1" 500 Internal Server Error',
    ],
)
def test_a_kernel_that_is_only_named_is_well(line: str) -> None:
    assert asked(CHECK, line) == []
