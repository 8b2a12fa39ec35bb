"""The CUTLASS kernel for FP8 does not run."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.platform.heard import Heard, hear
from sparkwell.checks.diagnosis.platform.said import checkpoint_of, quantization_given
from sparkwell.checks.image import known_image
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_FAILED = re.compile(
    r"\bcutlass_gemm_caller\w{0,20}\.cuh|Error Internal\b|cutlass_scaled_mm failed"
)
_WHILE_LOADING = (
    "The checkpoint has 16 bits, and --quantization fp8 makes FP8 of it at every start, with one "
    "scale a tensor. A checkpoint that was made in FP8 has one for each block, and runs on another "
    "kernel. That the first one fails on a DGX Spark is what users report; why is not known here."
)

_IN_FP8 = {
    "Qwen/Qwen3-8B": "qwen3-8b-fp8",
    "Qwen/Qwen3-32B": "qwen3-32b-fp8",
    "Qwen/Qwen3-30B-A3B-Instruct-2507": "qwen3-30b-a3b-fp8",
}

ABOUT = About(
    id="fp8-cutlass",
    title="The CUTLASS kernel for FP8 does not run",
    severity=Severity.ERROR,
    symptoms=(
        "RuntimeError: Error Internal",
        "cutlass_scaled_mm failed",
        "Exception raised from cutlass_gemm_caller at …/cutlass_gemm_caller.cuh:61",
    ),
    cause="The kernel of this build was not made for SM 12.1, or not for the shapes of this model. "
    "Seen with nightly images for CUDA 12.9 on a GB10, and with 16-bit checkpoints that "
    "--quantization fp8 quantizes while loading.",
    remedies=(
        Remedy("Serve a checkpoint that was made in FP8, without --quantization: it says itself "
               "how it is quantized.", "sparkwell models"),
        known_image(),
        Remedy("Or switch this kernel off in a recipe of your own, under serve: "
               "`env: {VLLM_DISABLED_KERNELS: CutlassFp8BlockScaledMMKernel}`. The engine takes "
               "Triton's kernel then, which may be slower. It helps where the log says that this "
               "kernel was selected."),
    ),
    reference="vllm issues 40758 and 43367; the Qwen3 guides for a DGX Spark",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log or run that ended so; the cause goes by what was quantized."""
    for heard in hear(snapshot, _FAILED):
        finding = ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model)
        yield _while_loading(finding, heard) if _given(heard) else finding


def _given(heard: Heard) -> bool:
    """Whether somebody asked for FP8 of a checkpoint that does not call itself so."""
    if heard.log is None or quantization_given(heard.log) != "fp8":
        return False
    return "fp8" not in (checkpoint_of(heard.log) or "").lower()


def _while_loading(finding: Finding, heard: Heard) -> Finding:
    source = checkpoint_of(heard.log) if heard.log else None
    ready = _IN_FP8.get(source or "")
    first = Remedy(
        f"Serve {ready or 'a checkpoint in FP8'}, without --quantization: its makers quantized "
        "it, and half as many bytes are read.",
        f"sparkwell up {ready}" if ready else "sparkwell models",
    )
    given = f"--quantization fp8 was given for {source}" if source else "--quantization fp8 given"
    return replace(
        finding,
        cause=_WHILE_LOADING,
        evidence=(*finding.evidence, given),
        remedies=(first, *finding.remedies[1:]),
    )


CHECK = Check(ABOUT.id, "Does the CUTLASS kernel for FP8 run?", look, ABOUT)
