"""Experts run with a default configuration: nobody tuned the kernel for this GPU and shape."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.logs.find import Found, find, logs, name_of, quoted
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_DEFAULT = re.compile(r"Using default MoE config\. Performance might be sub-?optimal")
_SHAPE = re.compile(r"E=(?P<experts>\d+),N=(?P<size>\d+)(?:,device_name=(?P<device>[\w-]+))?")

ABOUT = About(
    id="moe-config-missing",
    title="The kernel for experts is not tuned for this GPU",
    severity=Severity.WARNING,
    symptoms=(
        "Using default MoE config. Performance might be sub-optimal! Config file not found at …",
    ),
    cause="vLLM has tuned configurations of its Triton kernel by shape and GPU. For a GB10 there "
    "is none for 128 experts of size 768 (Qwen3-30B-A3B) up to 0.33; from 0.28 on there are some "
    "for 256 and 512 experts of size 512. It works with the default, slower than it could; the "
    "41 to 42 tokens/s measured for Qwen3-30B-A3B-FP8 on a DGX Spark were with the default.",
    remedies=(
        Remedy("Nothing has to be done: the model answers correctly. `sparkwell plan` counts with "
               "the speed that was measured so.", "sparkwell plan MODEL"),
        Remedy("To gain speed, tune it with vLLM's benchmarks/kernels/benchmark_moe.py (--tune; "
               "hours, with nothing else on the GPU), and name the folder of the result in the "
               "recipe's env: VLLM_TUNED_CONFIG_FOLDER."),
    ),
    reference="vllm/model_executor/layers/fused_moe/fused_moe.py and configs/, 0.10 to 0.33",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log; a warning on a GB10, elsewhere for information."""
    for log in logs(snapshot):
        if found := find(log, _DEFAULT):
            finding = ABOUT.finding(*quoted(log, found.line), about=name_of(log), model=log.model)
            yield _of_shape(finding, found)


def _of_shape(finding: Finding, found: Found) -> Finding:
    shape = _SHAPE.search(found.line.text)
    device = (shape and shape["device"]) or ""
    what = f": {shape['experts']} experts of size {shape['size']}" if shape else ""
    return replace(
        finding,
        title=f"{finding.title}{what}",
        severity=finding.severity if "GB10" in device else Severity.INFO,
    )


CHECK = Check(ABOUT.id, "Is the kernel for experts tuned for this GPU?", look, ABOUT)
