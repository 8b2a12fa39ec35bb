"""The engine's kernels are not built for this GPU."""

import re
from collections.abc import Iterator

from packaging.version import Version

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.platform.heard import Heard, hear
from sparkwell.checks.diagnosis.platform.said import is_gb10, version_of
from sparkwell.checks.image import known_image
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.errors import UsageError
from sparkwell.core.findings import Finding, Remedy, Severity
from sparkwell.engines.vllm.history import parse_version

_NOT_BUILT = re.compile(
    r"no kernel image is available for execution"
    r"|ptxas fatal {1,5}: Value '?sm_12\d\w?'? is not defined"
    r"|nvcc fatal {1,5}: Unsupported gpu architecture 'compute_12"
    r"|This kernel only supports sm120"
    r"|No supported CUDA architectures found for major versions"
    r"|Failed to open: \S{0,300}sm_?12[01]\w{0,80}\.cuh"
)
# Says nothing of the cause: many kernels fail so. Before 0.22 on SM 12.1 it was the guard.
_LAUNCH = re.compile(r"cudaErrorLaunchFailure|CUDA error: unspecified launch failure")
_GUARDED = Version("0.22.0")

ABOUT = About(
    id="sm121-unsupported",
    title="The engine has no kernels for this GPU",
    severity=Severity.ERROR,
    symptoms=(
        "CUDA error: no kernel image is available for execution on the device",
        "ptxas fatal : Value 'sm_121a' is not defined for option 'gpu-name'",
        "This kernel only supports sm120.",
        "cudaErrorLaunchFailure: unspecified launch failure",
    ),
    cause="A GB10 is SM 12.1. Builds for CUDA 12 know SM 12.0 at most, the ptxas of their Triton "
    "does not know 12.1, and up to vLLM 0.19 the FP8 kernel with one scale a tensor runs on 12.0 "
    "alone. The images of vLLM have CUDA 13 from 0.20 on, and a kernel for the whole family by "
    "0.22.",
    remedies=(
        known_image(),
        Remedy("Or name an image that has CUDA 13: NVIDIA's from 25.09 on, or vLLM's own from "
               "0.22 on.", "sparkwell up MODEL --image vllm/vllm-openai:v0.22.0"),
        Remedy("In an environment of your own where only ptxas is too old, give Triton the one of "
               "CUDA 13.", "export TRITON_PTXAS_PATH=/usr/local/cuda/bin/ptxas"),
    ),
    reference="vllm csrc/cutlass_extensions/common.hpp, 0.10 to 0.22; triton issue 8539; "
    "eugr/spark-vllm-docker issue 143",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log or run that ended so."""
    told = set()
    for heard in hear(snapshot, _NOT_BUILT):
        told.add(heard.about)
        yield ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model)
    for heard in hear(snapshot, _LAUNCH):
        if heard.about not in told and _is_guard(heard, snapshot):
            yield ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model)


def _is_guard(heard: Heard, snapshot: Snapshot) -> bool:
    """Whether it is a GB10 with a version whose FP8 kernel stops on it."""
    if heard.log is None or not is_gb10(heard.log, snapshot):
        return False
    try:
        return parse_version(version_of(heard.log, snapshot) or "") < _GUARDED
    except UsageError:
        return False


CHECK = Check(ABOUT.id, "Are the engine's kernels built for this GPU?", look, ABOUT)
